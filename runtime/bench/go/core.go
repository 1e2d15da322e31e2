// The rows of core.sh in Go. usage: core PROCESSORS [ROW…]
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const million = 1000000

var wall bool
var processors int
var start = time.Now()

func clock(id int) float64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&t)), 0)
	return float64(t.Nano())
}

// CPU time of the process, or wall time.
func rowClock() float64 {
	if wall {
		return wallClock()
	}
	return clock(2)
}

func wallClock() float64 { return float64(time.Since(start)) }

func resident() float64 {
	var size, pages float64
	data, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(data), &size, &pages)
	return pages * float64(os.Getpagesize())
}

func yield() float64 {
	each := 2 * million
	var g sync.WaitGroup
	t := rowClock()
	for i := 0; i < 2; i++ {
		g.Add(1)
		go func() {
			for n := 0; n < each; n++ {
				runtime.Gosched()
			}
			g.Done()
		}()
	}
	g.Wait()
	return (rowClock() - t) / float64(2*each)
}

func spawnJoin() float64 {
	n := million
	t := rowClock()
	for i := 0; i < n; i++ {
		var g sync.WaitGroup
		g.Add(1)
		go g.Done()
		g.Wait()
	}
	return (rowClock() - t) / float64(n)
}

func batch() float64 {
	t := rowClock()
	for r := 0; r < 1000; r++ {
		var g sync.WaitGroup
		g.Add(1000)
		for i := 0; i < 1000; i++ {
			go g.Done()
		}
		g.Wait()
	}
	return (rowClock() - t) / million
}

func echo(a, b chan int, locked bool) {
	if locked {
		runtime.LockOSThread()
	}
	for v := range a {
		b <- v
	}
	close(b)
}

func unbuffered() float64 {
	a, b := make(chan int), make(chan int)
	go echo(a, b, false)
	t := rowClock()
	for i := 0; i < million; i++ {
		a <- i
		<-b
	}
	took := rowClock() - t
	close(a)
	return took / million
}

func across(n int, apart float64) float64 {
	if processors < 2 {
		return -1
	}
	a, b := make(chan int), make(chan int)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	go echo(a, b, true)
	took := 0.0
	for i := 0; i < n; i++ {
		t := wallClock()
		for until := t + apart; t < until; {
			t = wallClock()
		}
		a <- i
		<-b
		took += wallClock() - t
	}
	close(a)
	<-b
	return took / float64(n)
}

func sender(c chan int) {
	for i := 0; i < 2*million; i++ {
		c <- i
	}
	close(c)
}

func buffered() float64 {
	c := make(chan int, 128)
	t := rowClock()
	go sender(c)
	for range c {
	}
	return (rowClock() - t) / (2 * million)
}

func select2() float64 {
	a, b := make(chan int), make(chan int)
	t := rowClock()
	go sender(a)
	go sender(b)
	for a != nil || b != nil {
		select {
		case _, ok := <-a:
			if !ok {
				a = nil
			}
		case _, ok := <-b:
			if !ok {
				b = nil
			}
		}
	}
	return (rowClock() - t) / (4 * million)
}

func poll2() float64 {
	a, b := make(chan int), make(chan int)
	n := 5 * million
	t := rowClock()
	for i := 0; i < n; i++ {
		select {
		case <-a:
		case <-b:
		default:
		}
	}
	return (rowClock() - t) / float64(n)
}

var mutex sync.Mutex
var sink int

func locks(n int) {
	for ; n > 0; n-- {
		mutex.Lock()
		sink++
		mutex.Unlock()
	}
}

func mutex1() float64 {
	t := rowClock()
	locks(5 * million)
	return (rowClock() - t) / (5 * million)
}

func mutex100() float64 {
	var g sync.WaitGroup
	t := rowClock()
	for i := 0; i < 100; i++ {
		g.Add(1)
		go func() { locks(50000); g.Done() }()
	}
	g.Wait()
	return (rowClock() - t) / (100 * 50000)
}

func timer() float64 {
	t := rowClock()
	for i := 0; i < million; i++ {
		time.NewTimer(time.Hour).Stop()
	}
	return (rowClock() - t) / million
}

func hog() float64 {
	if processors > 1 {
		return -1
	}
	stop := false
	go func() {
		for !*(*bool)(unsafe.Pointer(&stop)) {
		}
	}()
	late := 0.0
	for i := 0; i < 40; i++ {
		t := wallClock()
		time.Sleep(5 * time.Millisecond)
		late += wallClock() - t - 5e6
	}
	stop = true
	return late / 40 / 1e6
}

// How many the rows of many have.
func many() int {
	if n, err := strconv.Atoi(os.Getenv("PARKED")); err == nil {
		return n
	}
	return million
}

func sleeps() float64 {
	var g sync.WaitGroup
	t := wallClock()
	n := many()
	g.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			time.Sleep(time.Second + time.Duration(rand.Intn(int(time.Second))))
			g.Done()
		}()
	}
	g.Wait()
	return (wallClock() - t) / 1e9
}

var parkedNs = -1.0

func parked() float64 {
	var g sync.WaitGroup
	event := make(chan int)
	runtime.GC()
	debug.FreeOSMemory()
	t, before := rowClock(), resident()
	n := many()
	g.Add(n)
	for i := 0; i < n; i++ {
		go func() { <-event; g.Done() }()
	}
	runtime.Gosched()
	bytes := (resident() - before) / float64(n)
	close(event)
	g.Wait()
	parkedNs = (rowClock() - t) / float64(n)
	return bytes
}

func main() {
	processors, _ = strconv.Atoi(os.Args[1])
	wall = processors > 1
	runtime.GOMAXPROCS(processors)
	rows := []struct {
		name    string
		measure func() float64
	}{
		{"yield", yield}, {"spawn+join", spawnJoin}, {"batch", batch}, {"unbuffered", unbuffered},
		{"across-spinning", func() float64 { return across(100000, 0) }},
		{"across-parked", func() float64 { return across(2000, 200e3) }},
		{"buffered-128", buffered}, {"select-2", select2}, {"poll-2", poll2}, {"mutex", mutex1},
		{"mutex-100", mutex100}, {"timer", timer}, {"hog-ms", hog}, {"sleeps-s", sleeps},
		{"parked-bytes", parked}, {"parked-ns", func() float64 { return parkedNs }},
	}
	for _, row := range rows {
		wanted := len(os.Args) == 2
		for _, name := range os.Args[2:] {
			wanted = wanted || name == row.name
		}
		if !wanted {
			continue
		}
		if figure := row.measure(); figure >= 0 {
			fmt.Printf("%s %.2f\n", row.name, figure)
		}
	}
}
