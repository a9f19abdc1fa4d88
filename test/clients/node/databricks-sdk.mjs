// The Databricks SDK for JavaScript, as Databricks' extension for VS Code uses it. DATABRICKS_SDK_PACKAGE names the
// package, for other versions of it.

import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { host, local, remote, run, token } from './run.mjs'

const { Config, WorkspaceClient } = await import(process.env.DATABRICKS_SDK_PACKAGE ?? '@databricks/sdk-experimental')

const workspace = new WorkspaceClient(new Config({ host, token }))

await run({
  async list() {
    let jobs = 0
    for await (const _ of workspace.jobs.list({})) jobs++
    console.log(`${jobs} jobs`)
  },

  // files.upload of these versions sends no body, so the file goes through the client below it.
  async upload() {
    await workspace.apiClient.request({
      path: `/api/2.0/fs/files${remote}`,
      method: 'PUT',
      headers: new Headers({ 'Content-Type': 'application/octet-stream' }),
      query: { overwrite: true },
      payload: Readable.toWeb(createReadStream(local)),
    })
  },

  async download() {
    const { contents } = await workspace.files.download({ file_path: remote })
    await pipeline(contents, createWriteStream(local))
  },

  // A HEAD request, whose answer has no body.
  async metadata() {
    await workspace.files.getMetadata({ file_path: remote })
  },
})
