// gRPC, with the service of Spark Connect. The messages are opaque bytes: the workspace sends them back, those of
// ExecutePlan three times.

import { closeSync, openSync, writeSync } from 'node:fs'

import grpc from '@grpc/grpc-js'

import { host, local, pieces, run, token } from './run.mjs'

const bytes = (message) => message
const method = (name, requestStream, responseStream) => ({
  path: `/spark.connect.SparkConnectService/${name}`, requestStream, responseStream,
  requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes,
})
const SparkConnect = grpc.makeGenericClientConstructor({
  AnalyzePlan: method('AnalyzePlan', false, false),
  ExecutePlan: method('ExecutePlan', false, true),
  AddArtifacts: method('AddArtifacts', true, true),
}, 'SparkConnect')

const { protocol, hostname, port } = new URL(host)
const secure = protocol === 'https:'
const client = new SparkConnect(
  `${hostname}:${port || (secure ? 443 : 80)}`,
  secure ? grpc.credentials.createSsl() : grpc.credentials.createInsecure(),
)
const metadata = new grpc.Metadata()
metadata.set('authorization', `Bearer ${token}`)

// answers calls a function with each message of a stream, until its end.
function answers(call, see) {
  return new Promise((resolve, reject) => {
    call.on('data', see)
    call.on('error', reject)
    call.on('status', ({ code }) => { if (code === grpc.status.OK) resolve() })
  })
}

// talk sends messages, each when the one before has come back.
function talk(messages, see) {
  const call = client.AddArtifacts(metadata)
  const left = messages[Symbol.iterator]()
  const next = () => {
    const { done, value } = left.next()
    done ? call.end() : call.write(Buffer.from(value))
  }
  next()
  return answers(call, (message) => { see(message); next() })
}

const show = (message) => console.log(String(message))

// transfer sends a file and saves what comes back.
async function transfer() {
  const file = openSync(local, 'w')
  await talk(pieces(), (piece) => writeSync(file, piece))
  closeSync(file)
}

await run({
  list: () => new Promise((resolve, reject) => {
    client.AnalyzePlan(Buffer.from('hello'), metadata, (err, answer) => {
      if (err) return reject(err)
      console.log(String(answer))
      resolve()
    })
  }),

  async stream() {
    await talk(['word1', 'word2', 'word3'], show)
    await answers(client.ExecutePlan(Buffer.from('a result'), metadata), show)
  },

  upload: transfer,
  download: transfer,
})
client.close()
