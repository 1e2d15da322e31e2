// goroutines [N]: N goroutines (default 1000) that wait, a third each on a channel, a mutex and a timer, below
// level(); one that computes.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

var (
	never = make(chan int)
	held  sync.Mutex
	begun sync.WaitGroup
	sum   uint64
)

//go:noinline
func level(n int, wait func()) int {
	if n == 0 {
		begun.Done()
		wait()
		return 0
	}
	return level(n-1, wait) + 1
}

func onChannel() { <-never }
func onMutex()   { held.Lock() }
func onTimer()   { time.Sleep(100000 * time.Second) }

//go:noinline
func compute() {
	for i := uint64(0); ; i++ {
		sum += i * i
	}
}

func main() {
	n := 1000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	held.Lock()
	waits := []func(){onChannel, onMutex, onTimer}
	begun.Add(n)
	for i := 0; i < n; i++ {
		go level(5, waits[i%3])
	}
	begun.Wait()
	time.Sleep(50 * time.Millisecond)
	go compute()
	fmt.Println("ready")
	select {}
}
