// A run's losses, as few of them as the API sends of a long run, and what has come since.
import { get } from './api.js';

// Scores come some rounds after theirs: so many rounds are asked for again.
const again = 16;

/**
 * The losses of a run.
 * @returns { look(): asks for what has come and answers with all points, all(): has none left out from now on,
 *   thinned(): what the API says of points that it left out, null where all are there }
 */
export function lossesOf(run) {
  const path = `/runs/${encodeURIComponent(run)}/losses?limit=5000`;
  let points = [], thinned = null, bucket = 1, wanted = '';

  async function look() {
    // Whole buckets: the newest one may keep other points now.
    const step = Math.max(again, bucket), newest = points.at(-1)?.round ?? -1;
    let after = Math.max(-1, (Math.floor(newest / step) - 1) * step - 1);
    let found = points.filter(p => p.round <= after), size = bucket, said;
    do {
      const page = await get(`${path}&after=${after}${wanted}`);
      said = page.thinned;
      const now = said?.bucketRounds ?? 1;
      // The buckets have grown, or the run was rolled back behind what is here: all of it is asked for.
      if (after >= 0 && (now !== size || page.points.length === 0)) [found, after] = [[], -1];
      else {
        found.push(...page.points);
        after = page.next;
      }
      size = now;
    } while (after !== null);
    [points, thinned, bucket] = [found, said, size];
    return points;
  }

  return { look, all() { wanted = '&points=all'; return look(); }, thinned: () => thinned };
}
