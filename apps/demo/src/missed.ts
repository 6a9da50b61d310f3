// The last part of the story on Node and Postgres: deliveries of a disabled endpoint expire, and a replay sends exactly what it missed.
import { ask, pause, until } from './http.ts'
import { type Installation, behave, post } from './installation.ts'
import { say } from './say.ts'

const HOOK = 'filtered'
const EMOJI = '👋'
const MATCHING = 7
const OTHERS = 5
// The shortest time that the library allows.
const EXPIRES_MS = 1000
// A replay of what was missed ends a minute before it is made: until then a slow publish may not be committed.
const LAG_MS = 61_000
const BOUND_MS = 60_000

interface Replay {
  id: string
  planned: number
  sent: number
  endedAt: string | null
}

/** Returns whether each event that matches the endpoint's filter arrived once, and no other. */
export async function replayMissed({ app, receiver, keys }: Installation): Promise<boolean> {
  const key = keys.workspace
  const api = `${app.url}/webhooks`
  const made = await ask<{ id: string; secret: string }>(
    `${api}/endpoints`,
    post(key, {
      url: `${receiver.ready.url}/hooks/${HOOK}`,
      eventTypes: ['reaction.added'],
      filter: { 'data.emoji': EMOJI },
    }),
  )
  const endpoint = `${api}/endpoints/${made.id}`
  await behave(receiver, HOOK, { secret: made.secret })
  await ask(`${endpoint}/disable`, { method: 'POST', key })
  // It also missed the events before it was there, which are left out.
  const since = new Date().toISOString()
  const publish = async (emoji: string): Promise<string> => {
    const at = { createdAt: new Date().toISOString() }
    const data = { id: 'x1', workspaceId: 'acme', messageId: 'm1', memberId: 'bob', emoji, ...at }
    const event = { type: 'reaction.added', data, expiresInMs: EXPIRES_MS }
    return (await ask<{ id: string }>(`${api}/events`, post(key, event))).id
  }
  const matching: string[] = []
  for (let n = 0; n < MATCHING; n++) matching.push(await publish(EMOJI))
  for (let n = 0; n < OTHERS; n++) await publish('👎')
  await pause(EXPIRES_MS)
  await ask(`${endpoint}/enable`, { method: 'POST', key })

  const find = <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => until(what, look, BOUND_MS)
  await find('the deliveries to expire', async () => {
    const failed = `${api}/deliveries?endpointId=${made.id}&status=failed`
    return (await ask<{ data: unknown[] }>(failed, { key })).data.length === MATCHING || undefined
  })
  say(`${HOOK} was disabled until its ${MATCHING} deliveries had expired. A replay in a minute sends what it missed …`)
  await pause(LAG_MS)
  const { id } = await ask<Replay>(`${api}/replays`, post(key, { what: 'missed', endpointId: made.id, since }))
  const { planned, sent } = await find('the replay', async () => {
    const job = await ask<Replay>(`${api}/replays/${id}`, { key })
    return job.endedAt === null ? undefined : job
  })
  const arrivals = (): Promise<Record<string, { count: number }>> => ask(`${receiver.ready.url}/arrivals/${HOOK}`)
  await find('the webhooks of the replay', async () => Object.keys(await arrivals()).length >= sent || undefined)
  // A copy or an event that does not match would arrive about now.
  await pause(EXPIRES_MS)
  const arrived = await arrivals()
  const once = matching.filter((one) => arrived[one]?.count === 1).length
  const others = Object.keys(arrived).length - once
  console.log(
    `${HOOK} missed ${MATCHING} of ${MATCHING + OTHERS} events; the replay planned ${planned} and sent ${sent}: ` +
      `${once} arrived once, ${others} otherwise`,
  )
  return planned === MATCHING && sent === MATCHING && once === MATCHING && others === 0
}
