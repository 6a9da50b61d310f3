import { type Engine, type EngineOptions, allWorkspaces, defineEvents, event } from '@keepsend/engine'
import { expect, vi } from 'vitest'
import { z } from 'zod'
import type { Receivers } from '../receivers.ts'
import { HOSTILE } from './strings.ts'

/** A type of events whose description and example are hostile. */
export const HOSTILE_CATALOG = defineEvents(
  Object.fromEntries(
    HOSTILE.map((text, at) => [
      `hostile.event_${at}`,
      event({
        schema: z.looseObject({ text: z.string().describe(text.toWellFormed()) }),
        description: text.toWellFormed().slice(0, 200),
        example: { text: text.toWellFormed(), [text.toWellFormed()]: 1 },
      }),
    ]),
  ),
) satisfies EngineOptions['catalog']

export interface Refusal {
  field: string
  text: string
}

/**
 * Puts each text into every field that takes it: workspaces, endpoints, events, responses, keys and names of people. Returns the
 * refusals.
 */
export async function fillWith(engine: Engine, receivers: Receivers, start: () => Promise<void>): Promise<Refusal[]> {
  const refused: Refusal[] = []
  let accepted = 0
  async function attempt<T>(field: string, text: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      const made = await act()
      accepted++
      return made
    } catch (error) {
      refused.push({ field, text })
      expect(error, field).toMatchObject({ name: 'EngineError' })
      return undefined
    }
  }

  for (const [at, text] of HOSTILE.entries()) {
    const by = text.slice(0, 200)
    const type = `hostile.event_${at}`
    const path = `/hostile/${at}/${encodeURIComponent(text.toWellFormed())}`
    receivers.answer(path, at % 2 === 0 ? 401 : 200, text, {
      'x-answer': encodeURI(text.toWellFormed()).slice(0, 2000),
    })
    const workspaceId = (await attempt('workspace', text, () =>
      engine.endpoints.create(text, { url: `${receivers.url}/w` }),
    ))
      ? text
      : `workspace ${at}`
    const url = receivers.url + path
    const made =
      (await attempt('endpoint', text, () =>
        engine.endpoints.create(
          workspaceId,
          {
            url,
            description: text,
            metadata: { note: text },
            headers: { 'x-own': '<b>' },
            filter: { 'data.text': { $neq: text } },
          },
          { by },
        ),
      )) ?? (await engine.endpoints.create(workspaceId, { url }))
    const { id } = made.endpoint
    await attempt('URL', text, () => engine.endpoints.create(workspaceId, { url: `${receivers.url}/${text}` }))
    await attempt('data', text, () =>
      engine.publish({ type, workspaceId, data: { text: `other ${text}`, [text]: [text, { text }] } }),
    )
    await attempt('raw body', text, () =>
      engine.publish({ type, workspaceId, raw: { body: text, contentType: 'text/html; charset=utf-8' } }),
    )
    await attempt('key', text, () => engine.apiKeys.create({ workspaceId, name: text, scopes: ['endpoints:read'], by }))
    await attempt('audit', text, () => engine.endpoints.update(workspaceId, id, { description: text }, { by }))
  }
  expect(accepted).toBeGreaterThan(3 * HOSTILE.length)

  await start()
  await vi.waitFor(async () => expect(await engine.stats()).toMatchObject({ due: 0, inFlight: 0, dispatched: 0 }), {
    timeout: 60_000,
    interval: 50,
  })
  const { rows } = await engine.problems.list(allWorkspaces, { limit: 1000 })
  expect(rows).not.toEqual([])
  for (const [at, { workspaceId, id }] of rows.entries()) {
    const text = HOSTILE[at % HOSTILE.length] ?? ''
    await attempt('problem', text, () => engine.problems.acknowledge(workspaceId, id, { by: text.slice(0, 200) }))
  }
  return refused
}
