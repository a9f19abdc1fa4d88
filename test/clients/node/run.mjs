// What the clients' programs have in common. Each is an ordinary small program: it makes the call that its first
// argument names, prints what it got, and on an error prints what Node prints first of an uncaught one.

import { closeSync } from 'node:fs'

// The environment says where the gateway is and which token to send.
export const host = (process.env.DATABRICKS_HOST ?? '').replace(/\/$/, '')
export const token = process.env.DATABRICKS_TOKEN ?? ''

// retries are the client's own unless MAX_RETRIES says how many.
export const retries = process.env.MAX_RETRIES ? { maxRetries: Number(process.env.MAX_RETRIES) } : {}

// A file on this machine and its path in a volume, for uploads and downloads.
export const local = process.env.LOCAL ?? ''
export const remote = process.env.REMOTE ?? ''

// run makes the call that is named on the command line. Before, it closes the file descriptor LOADING: how long Node
// takes to load a package says nothing about the gateway.
export async function run(calls) {
  const [call] = process.argv.slice(2)
  if (!Object.hasOwn(calls, call)) {
    console.error(`${call ? `There is no call ${call}` : 'Name a call'}: ${Object.keys(calls).join(', ')}.`)
    process.exit(2)
  }
  if (process.env.LOADING) closeSync(Number(process.env.LOADING))
  try {
    await calls[call]()
  } catch (err) {
    console.error(describe(err))
    process.exitCode = 1
  }
}

// describe gives the kind of an error, its message and, as Node does, that of its cause.
function describe(err) {
  const kind = err.name && err.name !== 'Error' ? err.name : (err.constructor?.name ?? 'Error')
  const line = `${kind}: ${err.message}`
  return err.cause?.message ? `${line} (cause: ${err.cause.message})` : line
}

// pieces yields the contents of the suite's file, of which the byte at i is i mod 251.
export function* pieces() {
  const piece = Buffer.from(Uint8Array.from({ length: 251 * 4096 }, (_, i) => i % 251))
  for (let left = Number(process.env.SIZE); left > 0; left -= piece.length) yield piece.subarray(0, left)
}
