// Measured values of a chart as series over time.

import { codeText } from "../../lib/fhir.js";
import { isVital } from "./results.js";

/**
 * The plots that Observations with numbers make: `{ key, title, unit, isVital, lines, points }` of each code and unit, vital
 * signs first. `lines` are `{ key, name }`: one, or one for each component. A point is `{ x, values, entry }`, x in seconds,
 * its values in the order of the lines; points are in the order of time.
 */
export function plotsOf(entries) {
  const plots = new Map();
  for (const entry of entries) {
    const { measured } = entry;
    if (!measured.length || entry.isError || Number.isNaN(entry.happenedAt)) continue;
    const key = `${entry.code} ${measured[0].unit}`;
    let plot = plots.get(key);
    if (!plot) plots.set(key, (plot = newPlot(key, entry)));
    plot.points.push(pointOf(plot, entry));
  }
  for (const { points } of plots.values()) points.sort((left, right) => left.x - right.x || left.entry.version - right.entry.version);
  return [...plots.values()].sort((left, right) => right.isVital - left.isVital || left.title.localeCompare(right.title));
}

/** The point of a result. It is kept with the result: moving in time makes no new ones, which somebody would have to clear away. */
function pointOf({ lines }, entry) {
  const { measured, happenedAt } = entry;
  const isInOrder = measured.every(({ key }, line) => lines[line]?.key === key);
  if (isInOrder && entry.point?.values.length === lines.length) return entry.point;
  const values = new Array(lines.length).fill(undefined);
  for (const { key, name, value } of measured) {
    let line = lines.findIndex((line) => line.key === key);
    if (line < 0) line = lines.push({ key, name }) - 1;
    values[line] = value;
  }
  entry.point = { x: happenedAt / 1000, values, entry };
  return entry.point;
}

function newPlot(key, { body, measured }) {
  return { key, title: codeText(body.code), unit: measured[0].unit, isVital: isVital(body), lines: [], points: [] };
}

/** The reference range of the newest point that has one. */
export function rangeIn(points) {
  for (let index = points.length - 1; index >= 0; index -= 1) {
    const { range } = points[index].entry;
    if (range && (range.low !== undefined || range.high !== undefined)) return range;
  }
  return undefined;
}

/** Plots as they are now, with those that did not change since as they were: what was made of these need not be made again. */
export function unchanged(plots, before) {
  const known = new Map(before.map((plot) => [plot.key, plot]));
  return plots.map((plot) => (isSame(plot, known.get(plot.key)) ? known.get(plot.key) : plot));
}

function isSame({ points }, before) {
  return before?.points.length === points.length && points.every(({ entry }, index) => entry === before.points[index].entry);
}

/** The extent of a plot's axes, with some room: `{ x: [from, to], y: [low, high] }`. */
export function extentOf({ points }, range) {
  const widen = ([low, high], share, least) => {
    const room = Math.max((high - low) * share, least);
    return [low - room, high + room];
  };
  let [low, high] = [range?.low ?? Infinity, range?.high ?? -Infinity];
  for (const { values } of points) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return {
    x: widen([points[0].x, points.at(-1).x], 0.03, 86_400),
    y: widen([low, high], 0.08, Math.abs(high) * 0.01 || 1),
  };
}
