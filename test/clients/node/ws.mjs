// ws, the WebSocket client of most Node programs, to a port on a cluster's driver, which echoes.

import WebSocket from 'ws'

import { host, run, token } from './run.mjs'

// talk sends words, each when the one before has come back.
function talk(words, listen = () => {}) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(host.replace(/^http/, 'ws') + process.env.WS_PATH, {
      headers: { Authorization: `Bearer ${token}` },
    })
    const next = () => (words.length ? socket.send(words.shift()) : socket.close(1000))
    socket.on('error', reject)
    socket.on('open', next)
    socket.on('message', (message) => { console.log(String(message)); next() })
    socket.on('close', resolve)
    listen(socket, reject)
  })
}

await run({
  list: () => talk(['hello']),

  stream: () => talk(['word1', 'word2', 'word3']),

  // What a program can show where the message says nothing.
  advice: () => talk(['hello'], (socket, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      reject(new Error(response.headers['x-databricks-reason-phrase']))
      response.destroy()
    })
  }),
})
