import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from './consumer.ts'

// A vitest run of its own, in a folder inside the repository so that it finds vitest, and hidden so that nothing else
// finds the folder.
let root: string

beforeEach(() => {
  mkdirSync('node_modules/.cache', { recursive: true })
  root = mkdtempSync(join(process.cwd(), 'node_modules/.cache/projects-'))
  for (const project of ['full', 'other']) mkdirSync(join(root, project))
  const reporter = join(process.cwd(), 'scripts/every-project-ran.ts')
  writeFileSync(
    join(root, 'vitest.config.ts'),
    `import { everyProjectRan } from '${reporter}'
     export default { root: '${root}', test: { reporters: ['default', everyProjectRan()], projects: [
       { test: { name: 'full', include: ['full/*.test.ts'], exclude: [] } },
       { test: { name: 'other', include: ['other/*.test.ts'], exclude: [] } },
     ] } }`,
  )
  write('full', `test('a', () => {})`)
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

test('a run in which every project ran its tests passes', () => {
  write('other', `test('b', () => {})`)
  expect(vitest()).toMatchObject({ code: 0 })
})

test('a project that matched no file fails the run, and is named', () => {
  const { code, output } = vitest()
  expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('The project other ran no test') })
})

test('a skipped test fails the run, and is named', () => {
  write('other', `test('b', () => {})\ntest.skip('left out', () => {})`)
  const { code, output } = vitest()
  expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('Skipped: other: left out') })
})

test('who asks for one file is not told about the others', () => {
  write('other', `test.skip('left out', () => {})`)
  expect(vitest('full/')).toMatchObject({ code: 0 })
})

function write(project: string, text: string): void {
  writeFileSync(join(root, project, 'a.test.ts'), `import { test } from 'vitest'\n${text}\n`)
}

function vitest(...filters: string[]): { code: number | null; output: string } {
  return run('node_modules/.bin/vitest', ['run', '--config', join(root, 'vitest.config.ts'), ...filters])
}
