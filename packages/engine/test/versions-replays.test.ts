// What a replay sends: the copy that was stored, or one that its worker converts from the event's own payload.
import { describe, expect, it } from 'vitest'
import { SENT, catalog, created } from './catalog-versions.ts'
import { drain, replayRig } from './replays.ts'

type Made = Awaited<ReturnType<typeof replayRig>>

/** An event that an endpoint of each of these labels got, under an id of five minutes ago. */
async function delivered(labels: readonly string[]) {
  const made = await replayRig({ catalog })
  made.accept()
  const ids = []
  for (const eventVersion of labels) ids.push((await made.addEndpoint({ eventVersion })).id)
  const eventId = `evt_${hexAgo()}-7000-8000-000000000001`
  await made.engine.publish({ ...created(), id: eventId })
  await made.work()
  await made.age(300_000)
  made.sender.requests.length = 0
  return { ...made, ids, eventId }
}

function hexAgo(): string {
  const hex = (Date.now() - 300_000).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

const sent = ({ sender }: Made) =>
  sender.requests.map(({ headers, body }) => [headers['webhook-version'], (JSON.parse(body) as { data: unknown }).data])

const byVersion = (made: Made) => sent(made).toSorted(([one], [other]) => String(one).localeCompare(String(other)))

const payloads = (made: Made) => made.count('keepsend_payloads')

describe('a replay of a delivered delivery', () => {
  it('sends the stored copy', async () => {
    const made = await delivered(['2026-01'])
    expect(await payloads(made)).toBe(2)
    // A converter that was changed later is not asked: it would have to convert this.
    await made.exec(`update keepsend_payloads set payload = 'not JSON' where version is null`)
    await made.engine.deliveries.replay('w1', `${made.eventId}.${made.ids[0]}`)
    expect(await made.rows()).toMatchObject([{ version: '2026-01', convertTo: null }])
    await made.work()
    expect(sent(made)).toEqual([['2026-01', SENT['2026-01']]])
    expect(await made.engine.events.get('w1', made.eventId)).toMatchObject({ eventVersion: '2026-11' })
  })

  it('converts for an endpoint whose label was changed since, and sends the newest for a newer one', async () => {
    const made = await delivered(['2026-11', '2026-01'])
    const [newer, older] = made.ids
    await made.engine.endpoints.update('w1', newer ?? '', { eventVersion: '2026-03' })
    await made.engine.endpoints.update('w1', older ?? '', { eventVersion: '2026-11' })
    for (const id of made.ids) await made.engine.deliveries.replay('w1', `${made.eventId}.${id}`)
    await made.work()
    expect(byVersion(made)).toEqual([
      ['2026-03', SENT['2026-03']],
      ['2026-11', SENT['2026-11']],
    ])
  })
})

describe('a replay job', () => {
  it('sends delivered deliveries again as they were stored', async () => {
    const made = await delivered(['2026-01', '2026-11'])
    await made.create({ what: 'delivered' })
    for (let steps = 0; steps < 3; steps++) {
      await made.step()
      await drain(made)
    }
    expect(byVersion(made)).toEqual([
      ['2026-01', SENT['2026-01']],
      ['2026-11', SENT['2026-11']],
    ])
  })

  it('sends what an endpoint missed in its version, if the filter matches in that', async () => {
    const made = await delivered(['2026-11'])
    for (const eventVersion of ['2026-01', '2026-05']) {
      const { id: endpointId } = await made.addEndpoint({ eventVersion, filter: { 'data.user': 'u1' } })
      await made.create({ what: 'missed', endpointId })
      await made.step()
      await drain(made)
    }
    expect(sent(made)).toEqual([['2026-01', SENT['2026-01']]])
  })

  it('sends what an endpoint that was made without a label missed in the oldest version', async () => {
    const made = await delivered(['2026-11'])
    const { id: endpointId } = await made.addEndpoint()
    await made.exec('update keepsend_endpoints set event_version = null')
    await made.create({ what: 'missed', endpointId })
    await made.step()
    await drain(made)
    expect(sent(made)).toEqual([['2026-01', SENT['2026-01']]])
  })
})

it('copies stay as long as their event, and go with it', async () => {
  const made = await delivered(['2026-01', '2026-05', '2026-11'])
  const clean = async () => {
    await made.exec('update keepsend_sweep_pass set payloads_after_id = null, payloads_next_at = 0')
    await made.engine.worker.maintain()
  }
  await clean()
  expect(await payloads(made)).toBe(3)
  await made.exec('delete from keepsend_events')
  await clean()
  expect(await payloads(made)).toBe(0)
})
