// gRPC, with the service of Spark Connect. The messages are opaque bytes: the workspace sends them back, those of
// ExecutePlan three times.

import grpc from '@grpc/grpc-js'

import { host, run, token } from './run.mjs'

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
    call.on('data', (answer) => see(String(answer)))
    call.on('error', reject)
    call.on('status', ({ code }) => { if (code === grpc.status.OK) resolve() })
  })
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
    const words = ['word1', 'word2', 'word3']
    const call = client.AddArtifacts(metadata)
    const next = () => (words.length ? call.write(Buffer.from(words.shift())) : call.end())
    next()
    await answers(call, (word) => { console.log(word); next() })
    await answers(client.ExecutePlan(Buffer.from('a result'), metadata), console.log)
  },
})
client.close()
