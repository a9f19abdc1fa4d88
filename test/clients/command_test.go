package clients_test

import (
	"context"
	"errors"
	"os"
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

// echo sends a file piece by piece, and saves what comes back.
func echo(at Target, send func([]byte) error, receive func() ([]byte, error)) error {
	file, err := os.Create(at.Local)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, piece := range pieces() {
		if err := send(piece); err != nil {
			return err
		}
		back, err := receive()
		if err != nil {
			return err
		}
		if _, err := file.Write(back); err != nil {
			return err
		}
	}
	return file.Close()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
