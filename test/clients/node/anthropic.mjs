// The Anthropic SDK on the serving endpoints that imitate Anthropic's API, as Claude clients are set up.

import Anthropic from '@anthropic-ai/sdk'

import { host, retries, run, token } from './run.mjs'

const client = new Anthropic({ baseURL: `${host}/serving-endpoints/anthropic`, authToken: token, ...retries })
const request = { model: 'chat', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }

await run({
  async list() {
    const answer = await client.messages.create(request)
    console.log(answer.content[0].text)
  },

  async stream() {
    for await (const event of await client.messages.create({ ...request, stream: true })) {
      if (event.type === 'content_block_delta') console.log(event.delta.text)
    }
  },
})
