import { startTraffic } from './live.ts'
import { type Dev, type DevStage, openDev, operatorKeyOf } from './open-dev.ts'

export interface RunDevOptions {
  /** The pause of each customer after each change, in ms. */
  everyMs: number
  /** Work that the platform would do, beside the traffic, until the signal; it ends by itself then. */
  beside?: (dev: Dev, signal: AbortSignal) => Promise<void>
}

/** Runs the app, its receiver and its traffic until Ctrl-C, and prints how to look at them. */
export async function runDev(stage: DevStage, { everyMs, beside = async () => {} }: RunDevOptions): Promise<void> {
  const signalled = new Promise<undefined>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(undefined))
  })
  const opened = await Promise.race([openDev(stage), signalled])
  // Its children end with this process.
  if (!opened) process.exit(1)
  const { app, receiver, cast, keys } = opened
  print(opened)
  const ending = new AbortController()
  const traffic = startTraffic({ app, cast, keys, everyMs })
  const besides = beside(opened, ending.signal)
  const died = await Promise.race([
    signalled,
    receiver.gone.then((how) => `the receiver ended: ${how}`),
    app.gone(),
    traffic.failed.catch((error: Error) => `the traffic ended: ${error.message}`),
    besides.then(
      () => new Promise<never>(() => {}),
      (error: Error) => error.message,
    ),
  ])
  if (died === undefined) console.log('\nStopping …')
  else console.error(`\nStopping: ${died}`)
  ending.abort()
  await Promise.all([traffic.stop(), besides.catch(() => {})])
  await opened.stop()
  process.exit(died === undefined ? 0 : 1)
}

function print(dev: Dev): void {
  const { app, receiver, folder, keys, links } = dev
  const width = Math.max(...links.map(({ name }) => name.length))
  for (const { name, url } of links) console.log(`${name.padEnd(width)}  ${url}`)
  const json = "-H 'content-type: application/json'"
  const auth = `-H 'authorization: Bearer ${keys.get('bluebird')}'`
  console.log(`
Three customers send events until you press Ctrl-C: bluebird, juniper and lumen-clinic. Some of their receivers are slow, refuse
signatures, have an expired certificate, fail, do not answer, or are gone. Yesterday is in the history.

App        ${app.url}             its webhooks API: ${app.url}/webhooks/openapi.json
Receiver   ${receiver.ready.url}             what arrived: ${receiver.ready.url}/arrivals/bluebird-inbox
Files      ${folder}
API keys   ${keys.get('bluebird')} (bluebird's)
           ${operatorKeyOf(dev)} (the operator's: POST /workspaces)

Make a change, and see its webhook arrive, verified:

  curl -s ${auth} ${json} ${app.url}/channels -d '{"name":"general"}'
  curl -s ${receiver.ready.url}/arrivals/juniper-audit

The same request twice is one change:

  curl -si ${auth} ${json} -H 'idempotency-key: k1' ${app.url}/members -d '{"name":"Ann"}'

Mend the patient records of lumen-clinic, and watch the circuit close within a minute; then let them fail again:

  curl -s ${json} ${receiver.ready.url}/control -d '{"hook":"lumen-records","behaviour":{"kind":"ok"}}'
  curl -s ${json} ${receiver.ready.url}/control -d '{"hook":"lumen-records","behaviour":{"kind":"fail","status":503}}'

Other behaviours: {"kind":"stall"}, {"kind":"fail","status":429,"retryAfter":3,"times":2}, {"kind":"fail","status":410}.

Ctrl-C stops everything and removes the files.`)
}
