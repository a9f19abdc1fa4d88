// The Databricks SDK for JavaScript, as Databricks' extension for VS Code uses it. DATABRICKS_SDK_PACKAGE names the
// package, for other versions of it.

import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'

import { host, local, remote, run, token } from './run.mjs'

const { Config, readableToWeb, WorkspaceClient } = await import(process.env.DATABRICKS_SDK_PACKAGE ?? '@databricks/sdk-experimental')

const folder = '/Volumes/main/default/v'
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
      payload: readableToWeb(createReadStream(local)),
    })
  },

  async download() {
    const { contents } = await workspace.files.download({ file_path: remote })
    await pipeline(contents, createWriteStream(local))
  },

  // A HEAD request, whose answer has no body.
  async metadata() {
    await workspace.files.getDirectoryMetadata({ directory_path: folder })
    console.log('there')
  },

  // What a program can call instead.
  async advice() {
    for await (const { path } of workspace.files.listDirectoryContents({ directory_path: folder })) console.log(path)
  },
})
