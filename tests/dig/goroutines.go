// The target of tests/dig/goroutines.sh and bench/goroutines.sh: goroutines that wait in many ways. For each line on its standard input
// it writes its own dump of all goroutines to the file that the line names, and then "done".
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

var (
	mutex   sync.Mutex
	rw      sync.RWMutex
	group   sync.WaitGroup
	cond    = sync.NewCond(&sync.Mutex{})
	channel = make(chan int)
	full    = make(chan int)
	never   chan int
	sink    int
)

type waiter interface{ wait(depth int) }
type onMutex struct{ n int }
type onChannel struct{ n int }

func (w *onMutex) wait(depth int) {
	if depth > 0 {
		w.wait(depth - 1)
		sink++
		return
	}
	mutex.Lock()
}

func (w onChannel) wait(depth int) {
	if depth > 0 {
		w.wait(depth - 1)
		sink++
		return
	}
	receive(channel)
}

func receive(c chan int) int    { return take(c) + 1 }
func take(c chan int) int       { return <-c }
func many(f func())             { defer group.Done(); f() }
func selects()                  { select { case <-channel: case full <- 1: } }
func pipe()                     { r, _, _ := os.Pipe(); var b [1]byte; r.Read(b[:]) }
func listens()                  { l, _ := net.Listen("tcp", "127.0.0.1:0"); l.Accept() }
func waits()                    { cond.L.Lock(); cond.Wait() }
func generic[T any](c chan T) T { return <-c }

//go:noinline
func deep(n int) int {
	var pad [40]int
	pad[n%40] = n
	if n == 0 {
		return <-channel
	}
	return deep(n-1) + pad[n%40]
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	mutex.Lock()
	rw.Lock()
	kinds := []func(){
		func() { var w waiter = &onMutex{}; w.wait(3) }, func() { var w waiter = onChannel{}; w.wait(5) },
		selects, func() { time.Sleep(time.Hour) }, waits, func() { rw.RLock() }, func() { full <- 1 },
		func() { <-never }, func() { select {} }, func() { deep(60) }, func() { generic(make(chan string)) },
		func() { var w sync.WaitGroup; w.Add(1); w.Wait() },
	}
	for i := 0; i < n; i++ {
		group.Add(1)
		go many(kinds[i%len(kinds)])
	}
	go pipe()
	go listens()
	for i := 0; i < 3; i++ {
		runtime.GC()
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	buffer := make([]byte, 128<<20)
	for in.Scan() {
		if in.Text() != "" {
			os.WriteFile(in.Text(), buffer[:runtime.Stack(buffer, true)], 0o600)
		}
		fmt.Println("done")
	}
}
