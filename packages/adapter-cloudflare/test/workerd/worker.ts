import { createWorker } from '../../src/index.ts'
import { TEST_KEYS } from './keys.ts'

export interface Env {
  DB: D1Database
  WEBHOOKS: Queue
}

/** The Worker under test; its receiver is on the loopback address. */
export default createWorker({
  bindings: (env: Env) => ({
    db: env.DB,
    queue: env.WEBHOOKS,
    secrets: TEST_KEYS,
    engine: { urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' } },
  }),
}) satisfies ExportedHandler<Env>
