package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

const (
	// heldConnections is how many connections a rival gets at once.
	heldConnections  = 2000
	connectionStarts = 2 // of each rival
	// holdTimeout bounds how long a rival may take to pass all requests on.
	holdTimeout = 20 * time.Second
)

// connectionMemory is what one client connection costs a rival, in bytes.
type connectionMemory struct {
	Name  string `json:"name"`
	Count int    `json:"connections"`
	// Idle is a keep-alive connection that has had one request, and Busy one with a request
	// that the upstream has not answered, including the connection to the upstream.
	Idle summary `json:"idle_bytes"`
	Busy summary `json:"busy_bytes"`
}

// connections measures each rival by itself, in fresh processes.
func (l *lab) connections(ctx context.Context, d *driver, smoke bool) (found []connectionMemory, skipped []string, err error) {
	starts, count := connectionStarts, heldConnections
	if smoke {
		starts, count = 1, 50
	}
	for _, rival := range rivals {
		var idle, busy []float64
		for range starts {
			var r running
			i, b, err := l.connectionsOf(ctx, d, &r, count, rival.start)
			r.stop()
			if err != nil {
				return nil, nil, fmt.Errorf("%d connections to %s: %w", count, rival.name, err)
			}
			skipped = append(skipped, r.skipped...)
			if len(r.skipped) > 0 {
				break
			}
			idle, busy = append(idle, i), append(busy, b)
		}
		if len(idle) > 0 {
			found = append(found, connectionMemory{rival.name, count, summarize(idle), summarize(busy)})
		}
	}
	say("%-8s of %d rivals", "memory", len(found))
	return found, skipped, nil
}

// connectionsOf returns the memory of an idle and of a busy connection of one rival, in bytes.
func (l *lab) connectionsOf(ctx context.Context, d *driver, r *running, count int, start func(context.Context, *lab, *running, string) error) (idle, busy float64, err error) {
	dir, err := os.MkdirTemp(l.dir, "connections-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	// nginx's workers run as another user.
	if err := errors.Join(os.Chmod(dir, 0o755), start(ctx, l, r, dir)); err != nil || len(r.targets) == 0 {
		return 0, 0, err
	}
	t := r.targets[0]
	if err := d.warmUp(ctx, r.targets); err != nil {
		return 0, 0, err
	}
	held := &heldClients{address: t.address, call: d.calls[0]}
	held.path, _, _ = strings.Cut(held.path, "?")
	defer held.close()
	if err := rest(ctx); err != nil {
		return 0, 0, err
	}
	before := t.anonymous()
	if err := held.open(count); err != nil {
		return 0, 0, err
	}
	if err := rest(ctx); err != nil {
		return 0, 0, err
	}
	idle = float64(t.anonymous()-before) / float64(count)
	err = held.during(ctx, l.upstream.Address, func() { busy = float64(t.anonymous()-before) / float64(count) })
	return idle, busy, err
}

// anonymous returns the memory of a target's processes without their program files.
func (t *target) anonymous() (bytes int64) {
	for _, pid := range t.pids {
		bytes += memory(pid, "RssAnon")
	}
	return bytes
}

// heldClients are keep-alive connections, with little memory each.
type heldClients struct {
	call
	address string
	conns   []*heldClient
}

type heldClient struct {
	net.Conn
	answers *bufio.Reader
}

// open opens connections and sends one request on each.
func (h *heldClients) open(count int) error {
	for range count {
		conn, err := net.DialTimeout("tcp", h.address, requestTimeout)
		if err != nil {
			return fmt.Errorf("opening connection %d: %w", len(h.conns)+1, err)
		}
		h.conns = append(h.conns, &heldClient{conn, bufio.NewReaderSize(conn, 1024)})
	}
	return h.each(connections, func(c *heldClient) error {
		return errors.Join(c.ask(h.call, ""), c.answer())
	})
}

// during calls a function while every connection has a request that the upstream holds.
func (h *heldClients) during(ctx context.Context, upstream string, do func()) error {
	if err := h.each(connections, func(c *heldClient) error { return c.ask(h.call, "?"+holdQuery) }); err != nil {
		return err
	}
	api := "http://" + upstream
	began := time.Now()
	for {
		said, err := get(ctx, api+heldPath)
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(string(said)); err != nil || n == len(h.conns) {
			break
		}
		if time.Since(began) > holdTimeout {
			return fmt.Errorf("the upstream has only %s of %d requests", said, len(h.conns))
		}
		if err := rest(ctx); err != nil {
			return err
		}
	}
	do()
	if _, err := get(ctx, api+releasePath); err != nil {
		return err
	}
	return h.each(connections, (*heldClient).answer)
}

// each calls a function for all connections, some at once.
func (h *heldClients) each(atOnce int, do func(*heldClient) error) error {
	var workers sync.WaitGroup
	failures := make([]error, atOnce)
	for w := range atOnce {
		workers.Go(func() {
			for i := w; i < len(h.conns) && failures[w] == nil; i += atOnce {
				failures[w] = do(h.conns[i])
			}
		})
	}
	workers.Wait()
	for _, err := range failures { // one is enough
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *heldClients) close() {
	for _, c := range h.conns {
		_ = c.Close() // what was read of it counts
	}
}

func (c *heldClient) ask(what call, query string) error {
	_ = c.SetDeadline(time.Now().Add(holdTimeout + requestTimeout)) // fails only if it is closed
	_, err := fmt.Fprintf(c, "GET %s%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: %s\r\nAccept: application/json\r\nAuthorization: Bearer %s\r\n\r\n", what.path, query, userAgent, what.token)
	return err
}

func (c *heldClient) answer() error {
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return fmt.Errorf("reading a response: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal{response.StatusCode, response.Header.Get("X-Scopegate-Reason")}
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func connectionText(b *strings.Builder, rows []connectionMemory) {
	if len(rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "rival\tKiB for an idle connection\tKiB for a busy one\tconnections")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%d\n", labels[row.Name], row.Idle.Median/1024, row.Busy.Median/1024, row.Count)
	}
	_ = w.Flush() // to a string
	b.WriteByte('\n')
}
