import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

/**
 * Runs the program of a page of the docs in a process of its own, from source, and returns what it prints.
 *
 * @param name of the page and of the program: `docs/<name>.md` has a block that begins with `// <name>.ts`
 * @param files the paths in the program, and those to use in their place
 */
export async function runDocsExample(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const page = readFileSync(new URL(`../../../docs/${name}.md`, import.meta.url), 'utf8')
  const example = new RegExp(`\`\`\`ts\\n(// ${name}\\.ts\\n[^]*?)\`\`\``).exec(page)?.[1] ?? ''
  const program = Object.entries(files).reduce(
    (text, [from, to]) => text.replaceAll(`'${from}'`, JSON.stringify(to)),
    example,
  )
  const args = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, KEEPSEND_SECRET_KEY: 'k1:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=' },
  })
  return stdout
}
