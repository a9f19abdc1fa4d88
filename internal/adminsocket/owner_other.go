//go:build !unix

package adminsocket

func writable(string) error { return nil }

// Lock does nothing on this system.
func Lock(string) (unlock func()) { return func() {} }

// Private only calls listen on this system.
func Private(listen func()) { listen() }

func alive(err error) bool { return err == nil }
