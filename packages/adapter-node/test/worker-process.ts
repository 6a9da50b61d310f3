// The other process of a test: started by worker.ts and controlled over IPC.
import { TEST_KEYS } from './keys.ts'
import { type Logger, createEngine, newEventId } from '@keepsend/engine'
import { DurableEventQueue, createNodeSigner, createUndiciSender, openPostgres, openSqlite } from '../src/index.ts'
import type { WorkerMessage, WorkerRequest, WorkerSetup } from './worker.ts'

const setup = JSON.parse(process.argv[2] ?? '{}') as WorkerSetup
const say = (message: WorkerMessage) => void process.send?.(message)
const keep = (fields: Record<string, unknown>, message: string) =>
  say({ log: message, deliveryId: String(fields['deliveryId']) })
const logger: Logger = { info: keep, warn: keep, error: keep }

const db = setup.postgres === undefined ? openSqlite(setup.file ?? '') : await openPostgres(setup.postgres)
const sender = createUndiciSender({
  urlPolicy: { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] },
})
// One endpoint may use all slots by default.
const slots = { slotsPerEndpoint: setup.queue?.concurrency ?? 32 }
const queue = new DurableEventQueue({ db, leaseMs: 3000, pollMs: 60_000, ...slots, ...setup.queue })
const engine = createEngine({
  db,
  queue,
  sender,
  secrets: TEST_KEYS,
  logger,
  signer: createNodeSigner(),
  deadlineMs: 1000,
  maxDeadlineMs: 1000,
  ...(setup.userAgent !== undefined && { userAgent: setup.userAgent }),
})

let watching: NodeJS.Timeout | undefined
let peakBytes = 0

async function answer(request: WorkerRequest): Promise<unknown> {
  switch (request.ask) {
    case 'publish': {
      const events = Array.from({ length: request.count }, (_, n) => ({
        id: newEventId(),
        type: 'message.created',
        workspaceId: 'w',
        data: { n },
      }))
      return engine.commit({ writes: [], events })
    }
    case 'post': {
      const { url, deadlineMs } = request
      const result = await sender.send({ url, headers: {}, body: '{}', deadlineMs, maxResponseBytes: 1024 })
      return { kind: result.kind, said: result.kind === 'response' ? result.status : result.reason }
    }
    case 'peak':
      watching ??= setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage.rss())), 5).unref()
      peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
      return peakBytes / 1024 / 1024
    case 'stop':
      await queue.stop()
      await sender.close()
      await db.close()
      setImmediate(() => process.disconnect())
      return undefined
  }
}

process.on('message', (request: WorkerRequest & { number: number }) => {
  answer(request).then(
    (result) => say({ answer: request.number, result }),
    (error: unknown) => say({ answer: request.number, error: String(error) }),
  )
})

if (setup.queue) await queue.start(engine)
say({ ready: true })
