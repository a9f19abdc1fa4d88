// ws, the WebSocket client of most Node programs, to a port on a cluster's driver, which echoes.

import { closeSync, openSync, writeSync } from 'node:fs'

import WebSocket from 'ws'

import { host, local, pieces, run, token } from './run.mjs'

// talk sends messages, each when the one before has come back.
function talk(messages, see = (message) => console.log(String(message)), listen = () => {}) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(host.replace(/^http/, 'ws') + process.env.WS_PATH, {
      headers: { Authorization: `Bearer ${token}` },
    })
    const left = messages[Symbol.iterator]()
    const next = () => {
      const { done, value } = left.next()
      done ? socket.close(1000) : socket.send(value)
    }
    socket.on('error', reject)
    socket.on('open', next)
    socket.on('message', (message) => { see(message); next() })
    socket.on('close', resolve)
    listen(socket, reject)
  })
}

// transfer sends a file and saves what comes back.
async function transfer() {
  const file = openSync(local, 'w')
  await talk(pieces(), (piece) => writeSync(file, piece))
  closeSync(file)
}

await run({
  list: () => talk(['hello']),

  stream: () => talk(['word1', 'word2', 'word3']),

  upload: transfer,
  download: transfer,

  // What a program can show where the message says nothing.
  advice: () => talk(['hello'], undefined, (socket, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      reject(new Error(response.headers['x-databricks-reason-phrase']))
      response.destroy()
    })
  }),
})
