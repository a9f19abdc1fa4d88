// Package store shares what gateways find out about tokens through Redis or Valkey. Names of
// what it keeps mean nothing, and values are sealed: see package seal.
//
//	store.go    [Store], and the way of names and values
//	entry.go    what is kept about one token
//	find.go     what other gateways found out
//	share.go    handing on what this gateway found out
//	lease.go    one look-up for all: leases
//	budget.go   what all gateways together may ask of the workspace
//	members.go  who shares, and news of lists
//	owners.go   names of owners
//	blobs.go    usage snapshots
package store
