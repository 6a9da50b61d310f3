import '../src/vitest.ts'
import { describe, expect, it } from 'vitest'
import type { TestEngine } from '../src/index.ts'
import { assertPublished, assertPublishedTimes } from '../src/node.ts'
import { openEngine } from './open-engine.ts'

async function withMessages(): Promise<TestEngine> {
  const engine = await openEngine()
  const publish = (type: string, data: object) =>
    engine.publish({ id: idOf(++published), type, workspaceId: 'w1', data })
  let published = 0
  await publish('message.created', { channel: 'general', text: 'hi', author: { id: 1, name: 'Ann' }, tags: ['a'] })
  await publish('message.created', { channel: 'random', text: 'bye', author: { id: 2, name: 'Bob' }, tags: [] })
  await publish('member.joined', { id: 1 })
  return engine
}

const idOf = (n: number): string => `evt_01990000-0000-7000-8000-00000000000${n}`

async function messageOf(assertion: Promise<void>): Promise<string> {
  return assertion.then(
    () => 'it passed',
    (error: unknown) => (error as Error).message,
  )
}

describe('toHavePublished', () => {
  it('compares the given part of the data, with asymmetric matchers anywhere in it', async () => {
    const engine = await withMessages()
    await expect(engine).toHavePublished('message.created')
    await expect(engine).toHavePublished('message.created', { channel: 'random', author: { name: 'Bob' } })
    await expect(engine).toHavePublished('message.created', {
      text: expect.stringMatching(/^h/),
      author: expect.objectContaining({ id: expect.any(Number) }),
      tags: [expect.any(String)],
    })
    await expect(engine).toHavePublished('message.created', expect.objectContaining({ text: 'bye' }))
    await expect(engine).toHavePublished('message.created', { edited: undefined, tags: [] })
    await expect(engine).not.toHavePublished('message.deleted')
    await expect(engine).not.toHavePublished('message.created', { text: 'hi', channel: 'random' })
    await expect(engine).not.toHavePublished('message.created', { tags: ['a', 'b'] })
    await expect(engine).not.toHavePublished('message.created', { constructor: expect.anything() })
    await expect(engine).not.toHavePublished('message.created', { author: null })
  })

  it('compares a value by its JSON', async () => {
    const engine = await openEngine()
    await engine.publish({ type: 'a', workspaceId: 'w1', data: { at: new Date(0), zero: -0 } })
    await expect(engine).toHavePublished('a', { at: new Date(0), zero: -0 })
    await expect(engine).not.toHavePublished('a', { at: new Date(1) })
  })

  it('fails with the nearest published events and their differences', async () => {
    const engine = await withMessages()
    const expected = { channel: 'general', text: expect.stringContaining('bye'), author: { id: 3, 'last name': 'X' } }
    expect(await messageOf(expect(engine).toHavePublished('message.created', expected))).toMatchInlineSnapshot(`
      "Expected message.created with { channel: 'general', text: StringContaining 'bye', author: { id: 3, 'last name': 'X' } } to be published; found none.

      Nearest, of 2 of this type that differ (- expected, + published):

        evt_01990000-0000-7000-8000-000000000001 of w1:
          - text: StringContaining 'bye'
          + text: 'hi'
          - author.id: 3
          + author.id: 1
          - author["last name"]: 'X'

        evt_01990000-0000-7000-8000-000000000002 of w1:
          - channel: 'general'
          + channel: 'random'
          - author.id: 3
          + author.id: 2
          - author["last name"]: 'X'

      All published types: message.created ×2, member.joined ×1."
    `)
  })

  it('fails with the types that were published if none is of this type', async () => {
    const engine = await withMessages()
    expect(await messageOf(expect(engine).toHavePublished('message.deleted'))).toMatchInlineSnapshot(`
      "Expected message.deleted to be published; found none.

      All published types: message.created ×2, member.joined ×1."
    `)
    const silent = await openEngine()
    expect(await messageOf(expect(silent).toHavePublished('message.created', { text: 'hi' }))).toMatchInlineSnapshot(`
      "Expected message.created with { text: 'hi' } to be published; found none.

      Nothing was published."
    `)
  })

  it('fails under not with the events that it found', async () => {
    const engine = await withMessages()
    expect(await messageOf(expect(engine).not.toHavePublished('message.created'))).toMatchInlineSnapshot(`
      "Expected message.created not to be published; found 2.

      Published:
        evt_01990000-0000-7000-8000-000000000001 of w1: { channel: 'general', text: 'hi', author: { id: 1, name: 'Ann' }, tags: [ 'a' ] }
        evt_01990000-0000-7000-8000-000000000002 of w1: { channel: 'random', text: 'bye', author: { id: 2, name: 'Bob' }, tags: [] }"
    `)
  })

  it('cuts off long values and long lists', async () => {
    const engine = await openEngine()
    for (let n = 0; n < 30; n++) {
      await engine.publish({ type: 'a', workspaceId: 'w1', data: { text: '🙂'.repeat(50_000), n } })
    }
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`name${index}`, index]))
    const message = await messageOf(expect(engine).toHavePublished('a', { ...many, text: 'x'.repeat(100_000) }))
    expect(message.length).toBeLessThan(5000)
    expect(message).toContain('and 21 more')
    expect((await messageOf(expect(engine).not.toHavePublished('a'))).length).toBeLessThan(6000)
  })

  it.each([undefined, null, {}, 'engine', { published: 1 }])(
    'refuses what is no engine of the kit: %j',
    async (other) => {
      await expect(expect(other).toHavePublished('a')).rejects.toThrow('expected the engine of createTestEngine; found')
    },
  )

  it('refuses a type that is no text', async () => {
    const engine = await openEngine()
    await expect(expect(engine).toHavePublished({ text: 'hi' } as unknown as string)).rejects.toMatchObject({
      code: 'invalid_option',
      message: "type must be a text; found { text: 'hi' }",
    })
  })
})

describe('toHavePublishedTimes', () => {
  it('counts the events that match', async () => {
    const engine = await withMessages()
    await expect(engine).toHavePublishedTimes('message.created', 2)
    await expect(engine).toHavePublishedTimes('message.created', 1, { channel: 'general' })
    await expect(engine).toHavePublishedTimes('message.deleted', 0)
    await expect(engine).not.toHavePublishedTimes('message.created', 1)
    await expect(expect(engine).toHavePublishedTimes('message.created', 1.5)).rejects.toThrow('times must be a whole')
  })

  it('fails with the events that it counted, and the nearest others', async () => {
    const engine = await withMessages()
    expect(await messageOf(expect(engine).toHavePublishedTimes('message.created', 2, { channel: 'general' })))
      .toMatchInlineSnapshot(`
        "Expected message.created with { channel: 'general' } to be published exactly 2 times; found 1.

        Published:
          evt_01990000-0000-7000-8000-000000000001 of w1: { channel: 'general', text: 'hi', author: { id: 1, name: 'Ann' }, tags: [ 'a' ] }

        Nearest, of 1 of this type that differ (- expected, + published):

          evt_01990000-0000-7000-8000-000000000002 of w1:
            - channel: 'general'
            + channel: 'random'

        All published types: message.created ×2, member.joined ×1."
      `)
    expect(await messageOf(expect(engine).not.toHavePublishedTimes('member.joined', 1))).toMatchInlineSnapshot(`
      "Expected member.joined not to be published exactly once; found 1.

      Published:
        evt_01990000-0000-7000-8000-000000000003 of w1: { id: 1 }"
    `)
  })
})

describe('assertPublished', () => {
  it('passes and fails as the matchers do, with the same message', async () => {
    const engine = await withMessages()
    await assertPublished(engine, 'message.created', { channel: 'general' })
    await assertPublishedTimes(engine, 'message.created', { times: 2 })
    await assertPublishedTimes(engine, 'message.deleted', { times: 0 })
    const failed = assertPublished(engine, 'message.created', { channel: 'other' })
    await expect(failed).rejects.toMatchObject({
      code: 'ERR_ASSERTION',
      operator: 'assertPublished',
      message: await messageOf(expect(engine).toHavePublished('message.created', { channel: 'other' })),
    })
    await expect(assertPublishedTimes(engine, 'message.created', { times: 1 })).rejects.toMatchObject({
      code: 'ERR_ASSERTION',
      message: await messageOf(expect(engine).toHavePublishedTimes('message.created', 1)),
    })
  })
})
