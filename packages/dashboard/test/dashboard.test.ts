import { createDashboard } from '@keepsend/dashboard'
import { describe, expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'

async function withDelivery(answers: (number | 'timeout')[] = [200]) {
  const opened = await openDashboard()
  const { engine } = opened
  const { endpoint } = await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks/in' })
  const { eventId } = await engine.publish({
    type: 'message.created',
    workspaceId: 'w1',
    data: { id: 9007199254740993n.toString(), text: '<b>' },
  })
  engine.receiver.answer(answers)
  await engine.deliverAll()
  return { ...opened, endpoint, eventId, id: `${eventId}.${endpoint.id}` }
}

describe('the overview', () => {
  it('shows the first steps before there is a workspace', async () => {
    const { page } = await openDashboard()
    const { status, html } = await page(MOUNT)
    expect(status).toBe(200)
    expect(html).toContain('Nothing has been published yet')
  })

  it('counts what was delivered', async () => {
    const { page } = await withDelivery()
    const { html } = await page(MOUNT)
    expect(html).toContain('100.0% of what was settled')
    expect(html).not.toContain('Needs attention')
  })
})

describe('deliveries', () => {
  it('lists a delivery and links to it', async () => {
    const { page, id } = await withDelivery()
    const { html } = await page(`${MOUNT}/deliveries`)
    expect(html).toContain(`href="${MOUNT}/deliveries/${id}"`)
    expect(html).toContain('Delivered')
  })

  it('shows why a delivery failed and the likely fix, and replays it', async () => {
    const { page, send, id, engine } = await withDelivery([401])
    const { html } = await page(`${MOUNT}/deliveries/${id}`)
    expect(html).toContain('did not accept the credentials (401)')
    expect(html).toContain('&lt;b&gt;')
    const sent = await send(`${MOUNT}/deliveries/${id}`, `${MOUNT}/deliveries/${id}`, { do: 'replay' })
    expect(sent).toMatchObject({ status: 303, location: `${MOUNT}/deliveries/${id}` })
    engine.receiver.answer([200])
    expect(await engine.deliverAll()).toMatchObject({ delivered: 1 })
    const audit = await engine.audit.list('w1', { limit: 10 })
    expect(audit.rows).toContainEqual(expect.objectContaining({ verb: 'delivery.replay', by: 'dana' }))
  })

  it('refuses a form without its token, from another site, and from a reader', async () => {
    const { send, id } = await withDelivery([401])
    const at = `${MOUNT}/deliveries/${id}`
    expect(await send(at, at, { do: 'replay', csrf: '0'.repeat(128) })).toMatchObject({ status: 409 })
    expect(await send(at, at, { do: 'replay' }, { 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 409 })
  })

  it('says that a delivery is not stored', async () => {
    const { page } = await withDelivery()
    const { status, html } = await page(`${MOUNT}/deliveries/evt_nothing`)
    expect({ status, isSaid: html.includes('This is not stored any more') }).toEqual({ status: 404, isSaid: true })
  })
})

it('refuses to start without authorize', async () => {
  const { engine } = await openDashboard()
  expect(() => createDashboard({ engine } as never)).toThrow('createDashboard needs authorize')
})
