import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Consumer, run } from '../consumer.ts'
import { freshFile, program } from '../consumer-runs.ts'

const CONFIG = `export default {
  build: { ssr: 'app.mjs', outDir: 'vite-out', minify: false },
  ssr: { noExternal: true, external: ['better-sqlite3'] },
}`

export function vitePromises(consumer: () => Consumer): void {
  test('an app built by Vite for the server delivers', { timeout: 120_000 }, () => {
    const { root } = consumer()
    program(consumer(), 'app.mjs')
    writeFileSync(join(root, 'vite.config.mjs'), CONFIG)
    const built = run(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], root)
    expect(built.code, built.output).toBe(0)
    for (const driver of ['better-sqlite3', 'node:sqlite']) {
      const { code, output } = run(process.execPath, ['vite-out/app.js', freshFile(consumer()), driver], root)
      expect({ code, output }, driver).toEqual({ code: 0, output: 'delivered\n' })
    }
  })
}
