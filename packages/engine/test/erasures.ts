import type { ErasureInput } from '../src/index.ts'
import { rig } from './rig.ts'

/** A rig with all history, and what a test of erasures asks of it. */
export async function erasureRig(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig({
    history: { events: true, search: ['note'], responses: 'all' },
    ...options,
  })
  const tables = async (): Promise<string[]> => {
    const rows = await made.select(
      made.db.dialect.name === 'postgres'
        ? `select relname as name from pg_class
           where relnamespace = cast(current_schema() as regnamespace) and relkind in ('r', 'p') and not relispartition order by 1`
        : `select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by 1`,
    )
    return rows.map(({ name }) => String(name))
  }
  return {
    ...made,
    tables,
    /** The number of rows of each table that match, if it is not 0. */
    async matching(matches: (value: unknown) => boolean): Promise<Record<string, number>> {
      const counts: Record<string, number> = {}
      for (const table of await tables()) {
        const rows = await made.select(`select * from ${table}`)
        const count = rows.filter((row) => Object.values(row).some(matches)).length
        if (count > 0) counts[table] = count
      }
      return counts
    },
    /** The tables in which a text occurs, in any column. */
    async found(text: string): Promise<string[]> {
      return Object.keys(await this.matching((value) => String(value).includes(text)))
    },
    /** Makes steps, each due at once, until no job is running. */
    async finish(engine = made.engine): Promise<string[]> {
      const completed: string[] = []
      for (let rounds = 0; rounds < 200; rounds++) {
        await made.exec('update keepsend_erasures set due_at = 0')
        const step = await engine.worker.stepErasures()
        completed.push(...step.completed)
        if (step.nextMs === null) return completed
      }
      throw new Error('the erasure never ended')
    },
    async erase(input: ErasureInput) {
      const { id } = await made.engine.erase(input)
      await this.finish()
      return made.engine.erasures.get(input.workspaceId, id)
    },
  }
}
