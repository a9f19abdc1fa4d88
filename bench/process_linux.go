package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childAttributes make the kernel kill a child when the benchmark is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// cpuTime returns the CPU time of a process from its CPU clock. The hundredths of a
// second in /proc are too coarse for a slice.
func cpuTime(pid int) time.Duration {
	const scheduler = 2 // CPUCLOCK_SCHED
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &used); err != nil {
		return 0
	}
	return time.Duration(used.Nano())
}

// children returns the child processes of a process.
func children(pid int) (pids []int) {
	listed, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	for _, field := range strings.Fields(string(listed)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// memory returns a line of a process's status in bytes: VmHWM is its peak memory, VmRSS
// its current memory, and RssAnon the part of VmRSS that is not the program file.
func memory(pid int, line string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(status, []byte("\n"+line+":"))
	if !found {
		return 0
	}
	value, _, _ := bytes.Cut(rest, []byte(" kB"))
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(string(value)), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// machineBusy returns the total busy time of all CPUs.
func machineBusy() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	const idle, ioWait, steal = 4, 5, 8
	ticks := int64(0)
	for i, field := range fields {
		// Stop at steal: the guest times after it are part of user.
		if i == 0 || i == idle || i == ioWait || i > steal {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// preciseTimer lets this thread wake when it wants, and not within 50 µs of that. The thread
// keeps that when it does something else.
func preciseTimer() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) } // later sleeps are less precise

// sleepUntil sleeps in the kernel: a timer of Go's fires up to a millisecond late in an idle
// process.
func sleepUntil(t time.Time) {
	for {
		left := time.Until(t)
		if left <= 0 {
			return
		}
		wait := unix.NsecToTimespec(left.Nanoseconds())
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &wait, nil) // interrupted: sleeps again
	}
}
