// `pnpm demo:postgres`: the story on Postgres, with three processes of the app. `--short` is for tests.
import { openStoryPostgres } from './story-database.ts'
import { postgresStage } from './stage-postgres.ts'
import { runStory } from './telling.ts'

await runStory(postgresStage(await openStoryPostgres(), { short: process.argv.includes('--short') }))
