// Node's own fetch, with streams as bodies.

import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { host, local, remote, run, token } from './run.mjs'

const headers = { Authorization: `Bearer ${token}` }

// call is what programs write that want to know what went wrong.
async function call(path, options) {
  const response = await fetch(host + path, { ...options, headers: { ...headers, ...options?.headers } })
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}: ${await response.text()}`)
  return response
}

await run({
  async list() {
    const response = await call('/api/2.2/jobs/list')
    const { jobs } = await response.json()
    console.log(`${jobs.length} jobs`)
  },

  async stream() {
    const response = await call('/serving-endpoints/chat/invocations', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'hello' }], stream: true }),
    })
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      for (const [, word] of chunk.matchAll(/"content":"(\w+)/g)) console.log(word)
    }
  },

  async upload() {
    await call(`/api/2.0/fs/files${remote}?overwrite=true`, {
      method: 'PUT', body: Readable.toWeb(createReadStream(local)), duplex: 'half',
    })
  },

  async download() {
    const response = await call(`/api/2.0/fs/files${remote}`)
    await pipeline(response.body, createWriteStream(local))
  },
})
