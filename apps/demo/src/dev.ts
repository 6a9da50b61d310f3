// `pnpm dev`: runs the app and the receiver, with a workspace, an API key and an endpoint, until Ctrl-C.
import { install } from './installation.ts'
import { nodeStage } from './stage-node.ts'

const { app, receiver, keys, folder, stop } = await install(
  [{ hook: 'mine', by: 'workspace', eventTypes: ['*'], note: 'every event' }],
  nodeStage(),
)

const url = app.url
const json = "-H 'content-type: application/json'"
const auth = `-H 'authorization: Bearer ${keys.workspace}'`
console.log(`
App        ${url}             its webhooks API: ${url}/webhooks/openapi.json
Receiver   ${receiver.ready.url}             what arrived: ${receiver.ready.url}/arrivals/mine
File       ${folder}/app.db
API keys   ${keys.workspace} (the workspace's)
           ${keys.operator} (the operator's: POST /workspaces)

Make a change, and see its webhook arrive, verified:

  curl -s ${auth} ${json} ${url}/channels -d '{"name":"general"}'
  curl -s ${receiver.ready.url}/arrivals/mine

The same request twice is one change:

  curl -si ${auth} ${json} -H 'idempotency-key: k1' ${url}/members -d '{"name":"Ann"}'

Let the receiver fail, make a change, and watch it be retried every second; then let it recover:

  curl -s ${json} ${receiver.ready.url}/control -d '{"hook":"mine","behaviour":{"kind":"fail","status":503}}'
  curl -s ${auth} ${json} ${url}/channels -d '{"name":"retried"}'
  curl -s ${auth} '${url}/webhooks/deliveries?status=pending'
  curl -s ${json} ${receiver.ready.url}/control -d '{"hook":"mine","behaviour":{"kind":"ok"}}'

Other behaviours: {"kind":"stall"}, {"kind":"fail","status":429,"retryAfter":3,"times":2}, {"kind":"fail","status":410}.

Ctrl-C stops both and removes the file.`)

const signalled = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve())
})
const died = await Promise.race([signalled, receiver.gone.then((how) => `the receiver ended: ${how}`), app.gone()])
if (died === undefined) console.log('\nStopping …')
else console.error(`\nStopping: ${died}`)
await stop()
process.exitCode = died === undefined ? 0 : 1
