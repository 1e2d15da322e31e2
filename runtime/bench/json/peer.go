// encoding/json on the same records: go run peer.go FILE
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
)

type item struct {
	Name   string  `json:"name"`
	Price  float64 `json:"price"`
	Amount uint32  `json:"amount"`
	Gift   bool    `json:"gift"`
}

type order struct {
	ID       uint64  `json:"id"`
	Customer string  `json:"customer"`
	Street   string  `json:"street"`
	Items    []item  `json:"items"`
	Total    float64 `json:"total"`
	Created  int64   `json:"created_ns"`
	Paid     bool    `json:"paid"`
}

type orders struct {
	Orders []order `json:"orders"`
}

// Of all threads: the collector's too.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func speed(bytes int, work func()) float64 {
	best := 0.0
	for round := 0; round < 7; round++ {
		start, times := cpu(), 0
		for cpu()-start < 60*time.Millisecond {
			work()
			times++
		}
		if s := float64(bytes*times) / (cpu() - start).Seconds() / 1e6; s > best {
			best = s
		}
	}
	return best
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var whole orders
	if err := json.Unmarshal(text, &whole); err != nil {
		panic(err)
	}
	fmt.Printf("go decode %.1f\n", speed(len(text), func() {
		var o orders
		if err := json.Unmarshal(text, &o); err != nil {
			panic(err)
		}
	}))
	fmt.Printf("go encode %.1f\n", speed(len(text), func() {
		if _, err := json.Marshal(&whole); err != nil {
			panic(err)
		}
	}))
}
