# Debian's Go: programs built here and run: thousands of goroutines, channels, timers, a busy garbage collector, processes, signals.
# packages: bash coreutils golang-go gcc libc6-dev
# memory: 3G
# seconds: 600
export LC_ALL=C HOME=/tmp/home GOFLAGS=-mod=mod GO111MODULE=off GOTOOLCHAIN=local GOCACHE=/tmp/cache PATH=$PATH:/usr/lib/go/bin
mkdir -p /tmp/home /tmp/go; cd /tmp/go
go version | cut -d' ' -f1-3
cat > main.go <<'GO'
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}
func (t *tree) count() int {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

func main() {
	fmt.Println("cpus", runtime.NumCPU() > 0, runtime.GOMAXPROCS(0) == runtime.NumCPU())
	var wait sync.WaitGroup
	var sum int64
	channel := make(chan int, 16)
	for i := 0; i < 5000; i++ {
		wait.Add(1)
		go func(i int) { defer wait.Done(); channel <- i }(i)
	}
	done := make(chan bool)
	go func() {
		for v := range channel {
			atomic.AddInt64(&sum, int64(v))
		}
		done <- true
	}()
	wait.Wait()
	close(channel)
	<-done
	fmt.Println("sum", sum)
	debug.SetGCPercent(10)
	counts := make([]int, 8)
	for w := range counts {
		wait.Add(1)
		go func(w int) {
			defer wait.Done()
			for i := 0; i < 12; i++ {
				counts[w] += grow(11).count()
			}
		}(w)
	}
	wait.Wait()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println("trees", counts, "collected", stats.NumGC > 3)
	debug.SetGCPercent(100)
	chain := make(chan int)
	first := chain
	for i := 0; i < 2000; i++ {
		next := make(chan int)
		go func(in, out chan int) { out <- 1 + <-in }(chain, next)
		chain = next
	}
	first <- 0
	fmt.Println("chain", <-chain)
	var mutex sync.RWMutex
	shared := map[string]int{}
	for i := 0; i < 100; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for j := 0; j < 50; j++ {
				mutex.Lock()
				shared[fmt.Sprint("k", j)]++
				mutex.Unlock()
				mutex.RLock()
				_ = shared["k1"]
				mutex.RUnlock()
			}
		}(i)
	}
	wait.Wait()
	fmt.Println("map", len(shared), shared["k7"])
	ticker, timeout, ticks := time.NewTicker(5*time.Millisecond), time.After(200*time.Millisecond), 0
loop:
	for {
		select {
		case <-ticker.C:
			ticks++
		case <-timeout:
			break loop
		}
	}
	fmt.Println("ticked", ticks > 3)
	spin := int32(0)
	go func() {
		for atomic.LoadInt32(&spin) == 0 {
		}
	}()
	runtime.GC()
	atomic.StoreInt32(&spin, 1)
	fmt.Println("preempted")
	out, err := exec.Command("sh", "-c", "echo child; exit 4").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	listener, err := net.Listen("unix", "/tmp/go.sock")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { line, _ := bufio.NewReader(c).ReadString('\n'); fmt.Fprint(c, strings.ToUpper(line)); c.Close() }()
		}
	}()
	answers := make([]string, 50)
	for i := range answers {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			c, err := net.Dial("unix", "/tmp/go.sock")
			if err != nil {
				answers[i] = err.Error()
				return
			}
			fmt.Fprintf(c, "client %02d\n", i)
			answers[i], _ = bufio.NewReader(c).ReadString('\n')
		}(i)
	}
	wait.Wait()
	sort.Strings(answers)
	fmt.Printf("%q %d\n", answers[49], len(answers))
	fmt.Printf("%x\n", sha256.Sum256(make([]byte, 1<<22)))
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var p *tree
		fmt.Println(p.left)
	}()
	deep := func() int { var f func(int) int; f = func(n int) int { if n == 0 { return 0 }; return 1 + f(n-1) }; return f(300000) }
	fmt.Println("deep", deep())
	os.Exit(9)
}
GO
go build -o program main.go && ./program; echo "status $?"
GODEBUG=gctrace=0 GOMAXPROCS=1 ./program | grep -v cpus | md5sum | cut -c1-8; GOGC=5 ./program | grep -v cpus | md5sum | cut -c1-8
cat > c.go <<'GO'
package main

// #include <pthread.h>
// static int twice(int n) { return 2 * n; }
import "C"
import ("fmt"; "sync")

func main() {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	sum := 0
	for i := 0; i < 200; i++ {
		wait.Add(1)
		go func(i int) { defer wait.Done(); v := int(C.twice(C.int(i))); mutex.Lock(); sum += v; mutex.Unlock() }(i)
	}
	wait.Wait()
	fmt.Println("through C", sum)
}
GO
CGO_ENABLED=1 go run c.go; echo "status $?"
