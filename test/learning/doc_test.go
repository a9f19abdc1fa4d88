// Package learning checks what the gateway makes of the workspace's answers, over real
// sockets: answers that agree with the map, those that do not, and those that somebody else
// gave.
package learning
