// A complete server in a process of its own. Its log is its standard output, in lines of JSON.
import type { Logger } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import { createNodeServer } from '../src/index.ts'
import { TEST_KEYS } from './keys.ts'

const at =
  (level: string): Logger['info'] =>
  (fields, message) =>
    void process.stdout.write(`${JSON.stringify({ level, message, ...fields })}\n`)
const logger: Logger = { info: at('info'), warn: at('warn'), error: at('error') }

const server = await createNodeServer({
  file: process.argv[2] ?? '',
  port: 0,
  secrets: TEST_KEYS,
  sqlite: { busyTimeoutMs: 50 },
  queue: { pollMs: 100 },
  engine: {
    logger,
    random: () => 0,
    urlPolicy: { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] },
  },
})
const { key } = await server.engine.apiKeys.create({ workspaceId: 'w' })
process.on('uncaughtException', (error) => logger.error(errorFields(error), 'uncaught'))
process.send?.({ url: server.url, key })
