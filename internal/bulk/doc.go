// Package bulk narrows, restores and revokes many tokens at once, for an admin who runs a
// command: what is planned, what may be done without a doubt, one token after another, and what
// came of each. It stops at the first surprise, and running it again does the rest.
package bulk
