//go:build !linux

package caddyserver

import (
	"strconv"
	"testing"
)

// asAnotherUser is for Linux only.
func asAnotherUser(*testing.T, func()) {}

func itoa(descriptor uintptr) string { return strconv.FormatUint(uint64(descriptor), 10) }
