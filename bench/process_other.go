//go:build !linux

package main

import (
	"syscall"
	"time"
)

// CPU time and memory are measured on Linux only. On other systems the report omits
// them.

func childAttributes() *syscall.SysProcAttr { return nil }
func cpuTime(int) time.Duration             { return 0 }
func children(int) []int                    { return nil }
func memory(int, string) int64              { return 0 }
func machineBusy() time.Duration            { return 0 }

func preciseTimer()          {}
func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }
