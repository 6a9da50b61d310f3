// A complete server in a process of its own, which a test stops with a signal.
import { createNodeServer } from '../src/index.ts'
import { TEST_KEYS } from './keys.ts'

const server = await createNodeServer({
  file: process.argv[2] ?? '',
  port: 0,
  secrets: TEST_KEYS,
  engine: { urlPolicy: { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] } },
})
const { key } = await server.engine.apiKeys.create({ workspaceId: 'w' })
process.send?.({ url: server.url, key })
