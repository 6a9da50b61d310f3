// Every page in its states: with history and without, with a catalog and without, with nothing in the database.
import { createTestEngine } from '@keepsend/testing'
import { expect, it } from 'vitest'
import { MAX_PAGES, catalog, filledEngine, followLinks } from './follow-links.ts'
import { MOUNT, openDashboard } from './open-dashboard.ts'

it.each<[string, number, () => ReturnType<typeof createTestEngine>]>([
  ['history and a catalog', 60, () => filledEngine({ history: { search: ['data.id'] }, catalog })],
  ['history alone', 55, () => filledEngine({ history: true })],
  ['failures alone', 55, () => filledEngine({ history: { attempts: 'failed' } })],
  ['neither', 40, () => filledEngine({})],
  ['an empty database', 15, () => createTestEngine({ history: true })],
  ['an empty database without history', 15, () => createTestEngine()],
])('every link leads to a page, with %s', async (_, least, open) => {
  const { page } = await openDashboard(undefined, await open())
  const seen = await followLinks(page, MOUNT)
  expect([...seen].map(([path, { status }]) => [path, status]).filter(([, status]) => status !== 200)).toEqual([])
  expect(seen.size).toBeGreaterThan(least)
  expect(seen.size).toBeLessThan(MAX_PAGES)
})
