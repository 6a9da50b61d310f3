import { outboxContract } from '../src/testing.ts'
import { openBoth } from './postgres.ts'

outboxContract('Postgres by pg', () => openBoth('pg'))
outboxContract('Postgres by postgres.js', () => openBoth('postgres.js'))
