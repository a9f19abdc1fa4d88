// The MCP SDK with the transport that MCP servers of Databricks speak, and with the older one that clients then try.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

import { host, run, token } from './run.mjs'

const url = new URL(host + process.env.MCP_PATH)
const options = { requestInit: { headers: { Authorization: `Bearer ${token}` } } }

// connect is how the SDK's guide finds out which transport a server speaks.
async function connect(seen = () => {}) {
  let client = new Client({ name: 'scopegate-clients', version: '1.0.0' })
  try {
    await client.connect(new StreamableHTTPClientTransport(url, options))
  } catch (err) {
    seen(err)
    client = new Client({ name: 'scopegate-clients', version: '1.0.0' })
    await client.connect(new SSEClientTransport(url, options))
  }
  return client
}

// connected runs a function with a client of the current transport, and ends the session.
async function connected(use) {
  const transport = new StreamableHTTPClientTransport(url, options)
  const client = new Client({ name: 'scopegate-clients', version: '1.0.0' })
  await client.connect(transport)
  try {
    await use(client)
  } finally {
    await transport.terminateSession()
    await client.close()
  }
}

async function show(client) {
  const { tools } = await client.listTools()
  for (const { name } of tools) console.log(name)
}

await run({
  list: () => connected(show),

  // The tool "words" reports each word as its progress, and goes on when the tool "next" is called.
  stream: () => connected((client) => client.callTool({ name: 'words', arguments: {} }, undefined, {
    onprogress({ message }) {
      console.log(message)
      void client.callTool({ name: 'next', arguments: {} })
    },
  })),

  async fallback() {
    const client = await connect()
    await show(client)
    await client.close()
  },

  // What a program can show where the last message says nothing.
  advice: () => connect((err) => console.error(err.message)),
})
