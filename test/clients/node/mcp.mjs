// The MCP SDK with the transport that MCP servers of Databricks speak.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

import { host, run, token } from './run.mjs'

// connected runs a function with a client, and ends the session.
async function connected(use) {
  const transport = new StreamableHTTPClientTransport(new URL(host + process.env.MCP_PATH), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  })
  const client = new Client({ name: 'scopegate-clients', version: '1.0.0' })
  await client.connect(transport)
  try {
    await use(client)
  } finally {
    await transport.terminateSession()
    await client.close()
  }
}

await run({
  list: () => connected(async (client) => {
    const { tools } = await client.listTools()
    console.log(tools.map((tool) => tool.name).join('\n'))
  }),

  // The tool "words" reports each word as its progress, and goes on when the tool "next" is called.
  stream: () => connected((client) => client.callTool({ name: 'words', arguments: {} }, undefined, {
    onprogress({ message }) {
      console.log(message)
      void client.callTool({ name: 'next', arguments: {} })
    },
  })),
})
