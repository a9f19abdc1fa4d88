package clients_test

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"time"
)

// Command runs a program with the target's environment and more of it, and shows what it
// prints.
func (at Target) Command(ctx context.Context, env []string, name string, args ...string) Seen {
	command := at.command(ctx, env, name, args...)
	return finished(command, command.Run())
}

func (at Target) command(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(at.Env(), env...)
	command.Dir = at.Folder
	command.Stdout, command.Stderr = at.screen, at.screen
	command.WaitDelay = 5 * time.Second
	return command
}

// finished is the end of a command.
func finished(command *exec.Cmd, err error) Seen {
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return Seen{Output: err.Error(), ExitCode: -1, Command: true}
	}
	return Seen{ExitCode: command.ProcessState.ExitCode(), Command: true}
}

// failed is the end of a library's call.
func failed(err error) Seen {
	if err != nil {
		return Seen{Output: err.Error(), ExitCode: 1}
	}
	return Seen{}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
