// What others make of the OpenAPI document of a server over HTTP: a linter, a generator of types, and a client that uses them.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../consumer.ts'

const folder = 'test/openapi'
const bin = (name: string) => join('node_modules/.bin', name)

let server: ChildProcess
let database: string
let place: { url: string; key: string }

beforeAll(async () => {
  database = mkdtempSync(join(tmpdir(), 'keepsend-openapi-'))
  server = spawn(process.execPath, ['--conditions=@keepsend/source', join(folder, 'server-process.ts'), database], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: server.stdout as NodeJS.ReadableStream })
  for await (const line of lines) {
    place = JSON.parse(line) as typeof place
    return
  }
  throw new Error('the server ended before it listened')
}, 240_000)

afterAll(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill()
  await ended
  rmSync(database, { recursive: true })
})

test('Redocly finds nothing to say against the document', () => {
  const linted = run(
    'env',
    [
      'REDOCLY_TELEMETRY=off',
      'REDOCLY_SUPPRESS_UPDATE_NOTICE=true',
      bin('redocly'),
      'lint',
      `${place.url}/openapi.json`,
      '--config',
      'redocly.yaml',
    ],
    folder,
  )
  expect(linted).toMatchObject({ code: 0, output: expect.stringContaining('Your API description is valid') })
  expect(linted.output).not.toMatch(/warning/i)
}, 240_000)

test('a client of generated types compiles, and uses every operation', async () => {
  const generated = run(
    bin('openapi-typescript'),
    [`${place.url}/openapi.json`, '-o', 'generated/openapi.d.ts'],
    folder,
  )
  expect(generated, generated.output).toMatchObject({ code: 0 })
  expect(run(bin('tsc'), ['-p', '.', '--pretty', 'false'], folder)).toEqual({ code: 0, output: '' })

  const driven = run(process.execPath, ['client-process.ts', place.url, place.key], folder)
  expect(driven.code, driven.output).toBe(0)
  const { paths } = (await (await fetch(`${place.url}/openapi.json`)).json()) as { paths: Record<string, object> }
  const operations = Object.entries(paths).flatMap(([path, ofPath]) =>
    Object.keys(ofPath).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect((JSON.parse(driven.output) as string[]).sort()).toEqual(operations.sort())
}, 240_000)
