// `pnpm dev` as a process, as somebody uses it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, vi } from 'vitest'
import { createBrowser, walkFrom } from './browse.ts'

export interface DevProcess {
  /** The links that it printed before anything else, by name. */
  links: [name: string, url: string][]
  /** Its output to stderr so far. */
  complaints(): string
  /** The pages of the dashboard, by path, from the first link. */
  walkDashboard(): Promise<Map<string, string>>
  /** The first page of the portal, from the second link. */
  openPortal(): Promise<{ status: number; html: string }>
  /** Webhooks that a hook of the receiver has verified. */
  verified(hook: string): Promise<number>
  /** Presses Ctrl-C, and resolves with the exit code when nothing is left of it. */
  interrupt(): Promise<number | null>
}

/** Starts it, and waits until it has printed everything. */
export async function startDev(file: 'dev.ts' | 'dev-cloudflare.ts', patienceMs: number): Promise<DevProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-dev-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const program = fileURLToPath(new URL(`../src/${file}`, import.meta.url))
  const env = { ...process.env, TMPDIR: folder }
  const child = spawn(process.execPath, ['--conditions=@keepsend/source', program], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  let complained = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complained += text))
  const ended = once(child, 'exit') as Promise<[number | null]>
  const early = ended.then(([code]) => Promise.reject(new Error(`${file} ended (${code}): ${complained}`)))
  early.catch(() => {})
  const printed = vi.waitFor(() => expect(said).toContain('Ctrl-C stops everything'), { timeout: patienceMs })
  await Promise.race([printed, early])

  const receiver = /^Receiver +(http:\S+)/m.exec(said)?.[1] ?? ''
  const [head = ''] = said.split('\n\n')
  const links = head.split('\n').map((line) => line.split(/ {2,}/) as [string, string])
  const [dashboard, portal] = links.map(([, url]) => url)
  const browser = createBrowser((path, init) => fetch(new URL(path, dashboard), init))
  return {
    links,
    complaints: () => complained,
    walkDashboard: () => walkFrom(browser, dashboard ?? ''),
    openPortal: () => browser.open(portal ?? ''),
    async verified(hook) {
      const arrived = (await (await fetch(`${receiver}/arrivals`)).json()) as Record<string, { verified: number }>
      return arrived[hook]?.verified ?? 0
    },
    async interrupt() {
      expect(readdirSync(folder)).not.toEqual([])
      child.kill('SIGINT')
      const [code] = await ended
      expect(readdirSync(folder)).toEqual([])
      await expect(fetch(`${receiver}/health`)).rejects.toThrow('fetch failed')
      return code
    },
  }
}

/** Expects the story on the pages of the dashboard. */
export function expectStory(pages: ReadonlyMap<string, string>): void {
  const missing = (name: string, words: readonly string[]): string[] => {
    const text = pages.get(`/admin/webhooks${name}`)?.replaceAll(/<[^>]*>/g, ' ') ?? ''
    return words.filter((word) => !text.includes(word))
  }
  expect(pages.size).toBeGreaterThan(60)
  // By the names of the story, because the words of the pages are the dashboard's.
  expect(missing('', ['bluebird-crm', 'juniper-ledger', 'lumen-pager'])).toEqual([])
  expect(missing('/problems?state=acknowledged', ['lumen-records', 'sam'])).toEqual([])
  expect(missing('/workspaces', ['bluebird', 'juniper', 'lumen-clinic'])).toEqual([])
  expect(missing('/endpoints', ['bluebird-archive', 'juniper-warehouse', 'lumen-old-site'])).toEqual([])
  expect(missing('/deliveries?status=held&time=30d', ['bluebird-archive', 'file.added'])).toEqual([])
  expect(missing('/events', ['command.run', 'file.added', 'workspace.created'])).toEqual([])
  // One has ended, and one runs.
  expect([...pages.keys()].filter((path) => path.includes('/replays/rep_')).length).toBe(2)
}
