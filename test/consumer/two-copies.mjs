// Two copies of the packages in one process, as Next.js loads one for each route: what one makes is given to the other.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import * as hono from 'hono'
import * as one from '@keepsend/adapter-node'
import * as engineOne from '@keepsend/engine'
import * as outboxOne from '@keepsend/outbox'
import * as two from './copy/node_modules/@keepsend/adapter-node/dist/index.js'
import * as engineTwo from './copy/node_modules/@keepsend/engine/dist/index.js'
import * as outboxTwo from './copy/node_modules/@keepsend/outbox/dist/index.js'

for (const [name, first, second] of [
  ['OutboxError', outboxOne, outboxTwo],
  ['EngineError', engineOne, engineTwo],
  ['NodeAdapterError', one, two],
]) {
  const error = new first[name]('invalid_option', 'found')
  assert.notEqual(first[name], second[name], `${name} is one class: these are not two copies`)
  assert.ok(error instanceof second[name] && error instanceof first[name], name)
  assert.ok(!(new Error('other') instanceof second[name]) && !(null instanceof second[name]), name)
  class Own extends second[name] {}
  assert.ok(!(error instanceof Own) && new Own('invalid_option', 'own') instanceof first[name], `a subclass of ${name}`)
}
assert.ok(!(new engineOne.EngineError('conflict', '') instanceof outboxTwo.OutboxError))

let arrived = Promise.withResolvers()
const receiver = createServer((request, response) => {
  request.resume().on('end', () => response.end())
  arrived.resolve()
})
await new Promise((listening) => receiver.listen(0, '127.0.0.1', listening))
const { port } = receiver.address()

const db = one.openSqlite('copies.db')
await engineTwo.migrateEngine(db)
// The same library has it: not refused, although another one is loaded.
new DatabaseSync(':memory:').close()
two.openSqlite('copies.db').close()

const urlPolicy = { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: [port] }
const sender = two.createUndiciSender({ urlPolicy })
const secrets = engineOne.createKeyRing(process.env.KEEPSEND_SECRET_KEY)
// The safety poll must not be what finds the rows.
const delivering = new two.DurableEventQueue({ db, pollMs: 60_000 })
const publishing = new one.DurableEventQueue({ db })
const deliverer = engineTwo.createEngine({ db, queue: delivering, secrets, sender, signer: one.createNodeSigner() })
const limits = { requestsPerSecond: 1 }
// A warning would be in the output, and the lines of actions are not.
const logger = { ...engineOne.consoleLogger, info() {} }
const authenticate = (request) => deliverer.apiKeys.authenticate(request)
const engine = engineOne.createEngine({ db, queue: publishing, secrets, urlPolicy, limits, authenticate, logger })
await delivering.start(deliverer)
await engine.endpoints.create('w1', { url: `http://127.0.0.1:${port}/hooks` })

const events = [{ type: 'message.created', workspaceId: 'w1', data: {} }]
await engine.commit({ writes: [], events })
await arrived.promise
arrived = Promise.withResolvers()

const app = new hono.Hono().use(engineOne.keepsend(engine))
app.post('/messages', (c) => engineTwo.commitWithEvents(c, { writes: [], events, response: { status: 201, body: {} } }))
app.post('/refused', (c) =>
  engineTwo.commitWithEvents(c, {
    writes: [],
    events: [{ ...events[0], type: '' }],
    response: { status: 201, body: {} },
  }),
)
app.route('/webhooks', engine.routes)
assert.equal((await app.request('/messages', { method: 'POST' })).status, 201)
await arrived.promise
const refused = await app.request('/refused', { method: 'POST' })
assert.deepEqual([refused.status, (await refused.json()).code], [422, 'invalid_event'])

// A request is counted by its key, whichever copy authenticated it: two keys of one workspace have one each.
const keys = await Promise.all([1, 2].map(() => engine.apiKeys.create({ workspaceId: 'w1' })))
const lists = await Promise.all(
  keys.map(({ key }) => app.request('/webhooks/endpoints', { headers: { authorization: `Bearer ${key}` } })),
)
assert.deepEqual(
  lists.map(({ status }) => status),
  [200, 200],
)

await delivering.stop()
await sender.close()
db.close()
receiver.close()
receiver.closeAllConnections()
console.log('all given over')
