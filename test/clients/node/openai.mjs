// The OpenAI SDK, as Databricks documents it for model serving and for the AI gateway. OPENAI_PACKAGE names the
// package, for other versions of it.

import { host, retries, run, token } from './run.mjs'

const { default: OpenAI } = await import(process.env.OPENAI_PACKAGE ?? 'openai')

const messages = [{ role: 'user', content: 'hello' }]
const client = new OpenAI({ baseURL: host + (process.env.OPENAI_PATH ?? '/serving-endpoints'), apiKey: token, ...retries })

await run({
  async list() {
    const answer = await client.chat.completions.create({ model: 'chat', messages })
    console.log(answer.choices[0].message.content)
  },

  async stream() {
    const chunks = await client.chat.completions.create({ model: 'chat', messages, stream: true })
    for await (const chunk of chunks) console.log(chunk.choices[0].delta.content)
  },
})
