// The Databricks SQL driver for Node.js. It speaks Thrift, over HTTPS only.

import { DBSQLClient } from '@databricks/sql'

import { host, run, token } from './run.mjs'

async function query() {
  const { hostname, port } = new URL(host)
  const client = new DBSQLClient({ logger: { log() {} } }) // by default it logs to the console what errors say again
  await client.connect({ host: hostname, port: Number(port || 443), path: process.env.HTTP_PATH, token })
  const session = await client.openSession()
  const operation = await session.executeStatement('SELECT 1')
  console.log(JSON.stringify(await operation.fetchAll()))
  await operation.close()
  await session.close()
  await client.close()
}

await run({
  list: query,

  // What a program can show where the message says nothing.
  async advice() {
    try {
      await query()
    } catch (err) {
      throw new Error(err.response?.headers.get('x-databricks-reason-phrase') ?? err.message)
    }
  },
})
