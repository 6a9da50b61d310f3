// The queue of docs/writing-an-adapter.md passes the contract, with a stand-in for SQS that has its limits.
import { readFileSync } from 'node:fs'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import Database from 'better-sqlite3'
import { Webhook } from 'standardwebhooks'
import { expect, it, onTestFinished } from 'vitest'
import { type SendRequest, createEngine, migrateEngine, newSecret, silentLogger } from '../src/index.ts'
import { type ContractReceiver, eventQueueContract } from '../src/testing.ts'
import { TEST_KEYS } from './rig.ts'
import { type Sqs, SqsEventQueue, type SqsMessage, SqsWorker } from './sqs-event-queue.ts'

const URL_OF_QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/webhooks'

it('the page shows the code of this queue, and how it runs the contract', () => {
  const page = readFileSync(new URL('../../../docs/writing-an-adapter.md', import.meta.url), 'utf8')
  const [contract = '', queue, ...more] = [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code)
  expect(queue).toBe(readFileSync(new URL('sqs-event-queue.ts', import.meta.url), 'utf8'))
  expect(contract).toMatch(/^eventQueueContract\(/)
  expect(readFileSync(import.meta.filename, 'utf8')).toContain(contract)
  expect(more).toEqual([])
})

eventQueueContract('a queue on SQS, as the page has it', async (settings) => {
  const connection = new Database(':memory:')
  const db = fromBetterSqlite(connection)
  await migrateEngine(db)
  const sqs = standIn()
  const receivers = new Map<string, (request: SendRequest) => Promise<number>>()
  const sender = {
    async send(request: SendRequest) {
      const status = (await receivers.get(request.url)?.(request)) ?? 404
      return { kind: 'response' as const, status, header: () => undefined, body: new Uint8Array() }
    },
  }
  const queue = new SqsEventQueue(sqs, URL_OF_QUEUE)
  const engine = createEngine({ db, queue, sender, ...settings })
  const worker = new SqsWorker(engine, queue, sqs, URL_OF_QUEUE)
  return {
    db,
    engine,
    queue,
    async receiver() {
      const made = receiver(`http://127.0.0.1/hook/${receivers.size}`)
      receivers.set(made.url, (request) => made.receive(request))
      return made
    },
    async drain() {
      sqs.timeOut()
      for (;;) {
        const messages = sqs.receive()
        if (messages.length > 0) await worker.work(messages)
        else if ((await worker.sweep()) === 0) return
      }
    },
    close: async () => void connection.close(),
  }
})

it('a row that the database refuses leaves its message in the queue; the others are settled and their messages deleted', async () => {
  const connection = new Database(':memory:')
  onTestFinished(() => void connection.close())
  const db = fromBetterSqlite(connection)
  await migrateEngine(db)
  const sqs = standIn()
  const sender = {
    async send({ body }: SendRequest) {
      const status = body.includes('poison.taken') ? 500 : 200
      return { kind: 'response' as const, status, header: () => undefined, body: new Uint8Array() }
    },
  }
  const queue = new SqsEventQueue(sqs, URL_OF_QUEUE)
  const engine = createEngine({ db, queue, sender, secrets: TEST_KEYS, logger: silentLogger })
  const worker = new SqsWorker(engine, queue, sqs, URL_OF_QUEUE)
  await engine.endpoints.create('w', { url: 'https://receiver.example.com/' })
  const work: Promise<void>[] = []
  for (const type of ['message.created', 'poison.taken', 'message.created']) {
    await engine.commit({
      writes: [],
      events: [{ type, workspaceId: 'w', data: {} }],
      background: (one) => void work.push(one),
    })
  }
  await Promise.all(work)
  connection.exec(`create trigger refusing before update on pending_events when new.last_error is not null
    begin select raise(abort, 'not this row'); end`)
  await worker.work(sqs.receive())
  const left = connection.prepare<[], { id: string; gen: number }>('select id, gen from pending_events').all()
  expect(left).toHaveLength(1)

  sqs.timeOut()
  const again = sqs.receive()
  expect(again.map(({ Body = '' }) => JSON.parse(Body) as unknown)).toEqual(
    left.map(({ id, gen }) => ({ outboxId: id, gen })),
  )
  connection.exec('drop trigger refusing')
  await worker.work(again)
  expect(connection.prepare('select status, attempts from pending_events').all()).toEqual([
    { status: 'pending', attempts: 1 },
  ])
})

/** SQS in memory: ten entries a call, at most 15 minutes of delay, and messages that stay until they are deleted. */
function standIn(): Sqs & { receive(): SqsMessage[]; timeOut(): void } {
  interface StoredMessage {
    body: string
    from: number
    received: number
    hidden: boolean
  }
  const messages = new Map<string, StoredMessage>()
  let last = 0
  return {
    async sendMessageBatch({ Entries }) {
      if (Entries.length > 10) throw new Error('TooManyEntriesInBatchRequest')
      if (Entries.some(({ DelaySeconds }) => DelaySeconds > 900)) throw new Error('InvalidParameterValue')
      for (const { MessageBody: body, DelaySeconds } of Entries) {
        messages.set(String(++last), { body, from: Date.now() + DelaySeconds * 1000, received: 0, hidden: false })
      }
      return { Failed: [] }
    },
    async deleteMessageBatch({ Entries }) {
      for (const { ReceiptHandle } of Entries) messages.delete(ReceiptHandle ?? '')
    },
    receive() {
      const visible = [...messages].filter(([, { hidden, from }]) => !hidden && from <= Date.now()).slice(0, 10)
      return visible.map(([ReceiptHandle, one]) => {
        one.hidden = true
        one.received++
        return { Body: one.body, ReceiptHandle, Attributes: { ApproximateReceiveCount: String(one.received) } }
      })
    },
    timeOut() {
      for (const one of messages.values()) one.hidden = false
    },
  }
}

function receiver(url: string): ContractReceiver & { receive(request: SendRequest): Promise<number> } {
  const secret = newSecret()
  const requests: SendRequest[] = []
  const held: ((status: number) => void)[] = []
  let how: number | 'hold' = 200
  return {
    url,
    secret,
    receive(request) {
      new Webhook(secret).verify(request.body, request.headers)
      requests.push(request)
      if (how !== 'hold') return Promise.resolve(how)
      return new Promise((resolve) => {
        held.push(resolve)
      })
    },
    async answer(next) {
      how = next
      if (next !== 'hold') for (const resolve of held.splice(0)) resolve(next)
    },
    arrivals: async () => requests.map(({ headers, body }) => ({ id: headers['webhook-id'] ?? '', body })),
  }
}
