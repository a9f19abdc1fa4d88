package harness

import (
	"runtime"
	"strings"
)

// Goroutines returns how many goroutines run code of a package, named by its path
// inside the module, such as "internal/tokens".
func Goroutines(pkg string) int {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	running := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "scopegate/"+pkg+".") {
			running++
		}
	}
	return running
}
