// Package scopegate adds scopegate to a Caddy build, by the shortest name:
//
//	xcaddy build --with github.com/scopegate/scopegate
//
// It registers what package caddymodule registers and has nothing of its own.
package scopegate

import _ "github.com/scopegate/scopegate/caddymodule" // the modules
